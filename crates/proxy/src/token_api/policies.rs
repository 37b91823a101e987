//! Sets of Cedar policies that are kept here: reading, writing and restoring their versions.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use oauth::ErrorCode;
use policy::Fault as PolicyFault;
use serde::{Deserialize, Serialize};
use tokens::{PolicyDraft, PolicyVersion, TokensError};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::Caller,
    manage::of_tokens,
    view::DecisionView,
};
use crate::{
    headers::text_value,
    policies::{self, ManagedSet},
    record::Entry,
};

/// The scope that lets one see policies.
const MONITOR: &str = "monitor:policies";
/// The scope that lets one see and write them.
const ADMIN: &str = "admin:policies";

/// The most bytes of a body with policies: each of theirs can need two in JSON.
pub(crate) const MAX_BODY: usize = 2 * PolicyVersion::MAX_TEXT + 4096;

/// The set that is asked about, and the version if it is about one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'r> {
    pub(crate) set: &'r str,
    pub(crate) version: &'r str,
}

#[derive(Serialize)]
struct SetsAnswer<'a> {
    sets: Vec<SetView<'a>>,
}

/// Whether what was written last counts at this proxy.
#[derive(Serialize)]
struct SetView<'a> {
    set: &'a str,
    /// 0: nothing was written yet.
    version: u32,
    in_force: u32,
}

#[derive(Serialize)]
struct VersionsAnswer<'a> {
    versions: Vec<VersionView<'a>>,
}

#[derive(Serialize)]
struct VersionView<'a> {
    set: &'a str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<DecisionView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored_from: Option<u32>,
}

impl<'a> VersionView<'a> {
    fn whole(version: &'a PolicyVersion) -> Self {
        Self { policies: Some(&version.text), ..Self::about(version) }
    }

    fn about(version: &'a PolicyVersion) -> Self {
        Self {
            set: &version.set,
            version: version.version,
            policies: None,
            written: Some(DecisionView::new(&version.written)),
            restored_from: version.restored_from,
        }
    }
}

/// What `PUT /oauth/policies/{id}` is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteRequest {
    policies: Box<str>,
    comment: Option<String>,
}

/// What `POST /oauth/policies/{id}/rollback` is sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackRequest {
    version: u32,
    comment: Option<String>,
}

/// `GET /oauth/policies`.
pub(crate) fn list(api: &Api<'_>, caller: &Caller) -> Result<Answer, Fault> {
    must_see(caller)?;
    let status: Vec<_> =
        api.snapshot.policies().into_iter().flat_map(|policies| policies.managed_status()).collect();
    let view = |status: &policies::ManagedStatus| api.service.tokens().current_policies(&status.set);
    let sets = status.iter().map(|status| SetView {
        set: &status.set,
        version: view(status).map_or(0, |current| current.version),
        in_force: status.in_force,
    });
    Answer::json(&SetsAnswer { sets: sets.collect() })
}

/// `GET /oauth/policies/{id}`: the version that counts, with its `ETag`.
pub(crate) fn show(api: &Api<'_>, caller: &Caller, asked: Asked<'_>) -> Result<Answer, Fault> {
    must_see(caller)?;
    let set = set(api, asked)?;
    let set = set.name();
    if let Some(current) = api.service.tokens().current_policies(set) {
        return tagged(&current);
    }
    let nothing = VersionView { set, version: 0, policies: Some(""), written: None, restored_from: None };
    Ok(Answer::json(&nothing)?.with_header(header::ETAG, tag(0)))
}

/// `GET /oauth/policies/{id}/versions`: newest first, without their texts.
pub(crate) fn versions(api: &Api<'_>, caller: &Caller, asked: Asked<'_>) -> Result<Answer, Fault> {
    must_see(caller)?;
    let all = api.service.tokens().policy_versions(set(api, asked)?.name());
    Answer::json(&VersionsAnswer { versions: all.iter().map(VersionView::about).collect() })
}

/// `GET /oauth/policies/{id}/versions/{version}`.
pub(crate) fn version(api: &Api<'_>, caller: &Caller, asked: Asked<'_>) -> Result<Answer, Fault> {
    must_see(caller)?;
    let number = asked.version.parse().map_err(|_| Fault::unknown("version"))?;
    let set = set(api, asked)?;
    tagged(&kept(api, &set, number)?)
}

/// `PUT /oauth/policies/{id}`: a new version in the place of the one that `If-Match` names.
pub(crate) async fn write(
    api: &Api<'_>,
    caller: &Caller,
    asked: Asked<'_>,
    replaces: Replaces,
    request: WriteRequest,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let WriteRequest { policies, comment } = request;
    let set = set(api, asked)?;
    put(api, caller, &set, replaces, New { text: policies, comment, restored_from: None }, entry).await
}

/// `POST /oauth/policies/{id}/rollback`: the text of an earlier version as a new one.
pub(crate) async fn roll_back(
    api: &Api<'_>,
    caller: &Caller,
    asked: Asked<'_>,
    replaces: Replaces,
    request: RollbackRequest,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let RollbackRequest { version, comment } = request;
    let set = set(api, asked)?;
    let text = kept(api, &set, version)?.text;
    put(api, caller, &set, replaces, New { text, comment, restored_from: Some(version) }, entry).await
}

/// The version that `If-Match` says is to be replaced (RFC 9110 section 13.1.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaces(u32);

impl Replaces {
    /// Refuses who may not write, and who does not say what is replaced (RFC 6585 section 3).
    pub(crate) fn from_headers(caller: &Caller, headers: &HeaderMap) -> Result<Self, Fault> {
        if !caller.principal.holds(ADMIN) {
            return Err(Fault::needs(ADMIN));
        }
        let mut values = headers.get_all(header::IF_MATCH).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let why = "say with one If-Match which version is replaced: the ETag that it was answered with";
            let fault = Fault::new(ErrorCode::InvalidRequest, why);
            return Err(fault.with_status(StatusCode::PRECONDITION_REQUIRED));
        };
        let text = value.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
        text.and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or_else(|| changed("If-Match is not the ETag of a version"))
    }
}

/// What is to become the next version.
struct New {
    text: Box<str>,
    comment: Option<String>,
    restored_from: Option<u32>,
}

async fn put(
    api: &Api<'_>,
    caller: &Caller,
    set: &ManagedSet,
    Replaces(replaces): Replaces,
    New { text, comment, restored_from }: New,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let written = caller.decides(comment.as_deref())?;
    if text.len() > PolicyVersion::MAX_TEXT {
        return Err(of_tokens(&TokensError::PoliciesTooLong(text.len())));
    }
    let name = set.name();
    policies::parse(name, (*text).to_owned()).await.map_err(|faults| faulty(&faults))?;
    let draft = PolicyDraft { set: (**name).into(), text, written, restored_from };
    let next = api.service.tokens().write_policies(draft, replaces).await;
    let next = next.map_err(|error| match error {
        TokensError::PoliciesChanged { .. } => changed(error.to_string()),
        error => of_tokens(&error),
    })?;
    // Whoever is answered can rely on it here; others follow.
    set.refresh(api.service.tokens()).await;
    entry.note(|record| {
        record.targets.push(name.to_string());
        record.detail = Some(match restored_from {
            Some(from) => format!("version {} is version {from} again", next.version),
            None => format!("version {}", next.version),
        });
    });
    tagged(&next)
}

fn must_see(caller: &Caller) -> Result<(), Fault> {
    let sees = [MONITOR, ADMIN].iter().any(|scope| caller.principal.holds(scope));
    if sees { Ok(()) } else { Err(Fault::needs(MONITOR)) }
}

fn set(api: &Api<'_>, asked: Asked<'_>) -> Result<Arc<ManagedSet>, Fault> {
    let mut all = api.snapshot.policies().into_iter().flat_map(|policies| policies.managed());
    all.find(|set| **set.name() == *asked.set).cloned().ok_or_else(|| Fault::unknown("set"))
}

fn kept(api: &Api<'_>, set: &ManagedSet, number: u32) -> Result<PolicyVersion, Fault> {
    let all = api.service.tokens().policy_versions(set.name());
    all.into_iter().find(|version| version.version == number).ok_or_else(|| Fault::unknown("version"))
}

fn tagged(version: &PolicyVersion) -> Result<Answer, Fault> {
    Ok(Answer::json(&VersionView::whole(version))?.with_header(header::ETAG, tag(version.version)))
}

fn tag(version: u32) -> HeaderValue {
    text_value(&format!("\"{version}\""))
}

fn changed(why: impl Into<String>) -> Fault {
    Fault::new(ErrorCode::Conflict, why).with_status(StatusCode::PRECONDITION_FAILED)
}

#[derive(Serialize)]
struct FaultView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    /// For people: with the line and a caret below the place.
    shown: String,
}

impl<'a> FaultView<'a> {
    fn new(fault: &'a PolicyFault) -> Self {
        Self {
            line: fault.place.as_ref().map(|place| place.line),
            column: fault.place.as_ref().map(|place| place.column),
            message: &fault.message,
            help: fault.help.as_deref(),
            shown: fault.in_its_line(),
        }
    }
}

fn faulty(faults: &[PolicyFault]) -> Fault {
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    let more = faults.len().saturating_sub(1);
    let why = if more == 0 { first } else { format!("{first}, and {more} more") };
    let views: Vec<_> = faults.iter().map(FaultView::new).collect();
    match serde_json::to_value(views) {
        Ok(faults) => Fault::new(ErrorCode::InvalidRequest, why).with_faults(faults),
        Err(error) => Fault::internal(error.to_string()),
    }
}

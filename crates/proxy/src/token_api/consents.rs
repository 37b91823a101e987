//! What people have allowed clients: listing and withdrawing it.

use jiff::Timestamp;
use serde::Serialize;
use tokens::{Consent, ConsentId, Party};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::{ADMIN, Caller},
    manage::of_tokens,
    view::DecisionView,
};
use crate::record::Entry;

#[derive(Serialize)]
struct ConsentsAnswer<'a> {
    consents: Vec<ConsentView<'a>>,
}

#[derive(Serialize)]
struct ConsentView<'a> {
    consent_id: &'a str,
    person: &'a Party,
    client_id: &'a str,
    scopes: Vec<String>,
    clusters: &'a [Box<str>],
    /// Seconds.
    lifetime: u64,
    given_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn: Option<DecisionView<'a>>,
}

impl<'a> ConsentView<'a> {
    fn new(consent: &'a Consent) -> Self {
        let Consent { id, person, permission, given_at, withdrawn } = consent;
        Self {
            consent_id: id.as_str(),
            person,
            client_id: &permission.client_id,
            scopes: permission.scopes.iter().map(ToString::to_string).collect(),
            clusters: &permission.clusters,
            lifetime: permission.lifetime,
            given_at: *given_at,
            withdrawn: withdrawn.as_ref().map(DecisionView::new),
        }
    }
}

/// `GET /oauth/consents`: the caller's own, or all.
pub(crate) fn list(api: &Api<'_>, caller: &Caller) -> Result<Answer, Fault> {
    if !caller.sees_all() {
        caller.must_be_of_provider()?;
    }
    let mut all = api.service.tokens().consents();
    all.retain(|consent| caller.sees_all() || consent.person.is_same_subject(&caller.party));
    Answer::json(&ConsentsAnswer { consents: all.iter().map(ConsentView::new).collect() })
}

/// `DELETE /oauth/consents/{id}`: 204, whether it was withdrawn before or not.
pub(crate) async fn withdraw(
    api: &Api<'_>,
    caller: &Caller,
    id: &str,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let found = id.parse::<ConsentId>().ok().and_then(|id| api.service.tokens().consent(&id));
    let consent = found.ok_or_else(|| Fault::unknown("consent"))?;
    let own = caller.must_be_of_provider().is_ok() && consent.person.is_same_subject(&caller.party);
    if !own && caller.must_command_all().is_err() {
        return Err(if caller.sees_all() { Fault::needs(ADMIN) } else { Fault::unknown("consent") });
    }
    let done = api.service.tokens().withdraw_consent(&consent.id, caller.decides(None)?).await;
    let done = done.map_err(|error| of_tokens(&error))?;
    done.revoked.iter().for_each(|token| api.token_ended(&token.owner));
    entry.note(|record| {
        record.targets.extend(done.revoked.iter().map(|token| token.id.to_string()));
        record.detail = Some(format!("{} tokens ended", done.revoked.len()));
    });
    Ok(Answer::nothing())
}

//! The explanations over HTTP: `GET /oauth/decisions/<id>`, and the same for operators on the admin listener.

use std::net::IpAddr;

use explain::Explanation;
use http::{Method, Request, Response, header};
use hyper::body::Incoming;
use oauth::ErrorCode;
use uuid::Uuid;

use super::{Decisions, store::Viewer};
use crate::{
    authenticate, intake,
    record::Entry,
    respond::ResponseBody,
    snapshot::Snapshot,
    token_api::{Answer, Fault, respond},
};

/// The scope that lets one see everybody's.
const MONITOR: &str = "monitor:decisions";
const PATH: &str = "/oauth/decisions/";

/// Whether a path is for explanations.
pub fn owns(path: &str) -> bool {
    path.starts_with(PATH)
}

/// Answers a request for one of the paths that [`owns`] names.
pub async fn answer(
    decisions: &Decisions,
    snapshot: &Snapshot,
    source: IpAddr,
    request: Request<Incoming>,
    mut entry: Entry,
) -> Response<ResponseBody> {
    let outcome = show(decisions, snapshot, source, &request, &mut entry).await;
    respond(outcome, entry, "GET")
}

async fn show(
    decisions: &Decisions,
    snapshot: &Snapshot,
    source: IpAddr,
    request: &Request<Incoming>,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let id = request.uri().path().strip_prefix(PATH).and_then(|id| Uuid::try_parse(id).ok());
    entry.asked("oauth.decisions.show", "decisions", id.iter().map(Uuid::to_string).collect());
    intake::host(request.headers(), request.uri().authority(), request.version())
        .map_err(|error| Fault::new(ErrorCode::InvalidRequest, error.to_string()))?;
    if *request.method() != Method::GET {
        return Err(Fault::new(ErrorCode::MethodNotAllowed, "decisions can only be looked at, with GET"));
    }
    if request.uri().query().is_some() {
        return Err(Fault::new(ErrorCode::InvalidRequest, "there are no parameters here"));
    }
    let authorization: Vec<_> = request.headers().get_all(header::AUTHORIZATION).iter().cloned().collect();
    let (principal, _) = authenticate::caller(&authorization, snapshot, source).await?;
    entry.principal(&principal);
    let id = id.ok_or_else(|| Fault::unknown("decision"))?;
    if !decisions.made(id) {
        return Err(Fault::elsewhere(
            "this decision was made by another proxy, or by this one before it was started anew; ask that one, or look \
             for the decision_id in the audit trail",
        ));
    }
    let viewer = if principal.holds(MONITOR) { Viewer::Operator } else { Viewer::Caller(&principal) };
    let found = decisions.find(id, viewer).ok_or_else(|| Fault::unknown("decision"))?;
    Answer::json(&found)
}

/// What the admin listener answers, if it is to: everything, to whoever reaches it.
pub fn on_admin(decisions: &Decisions, id: &str) -> Option<Explanation> {
    decisions.settings().filter(|settings| settings.admin)?;
    decisions.find(Uuid::try_parse(id).ok()?, Viewer::Operator)
}

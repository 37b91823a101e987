//! Requests that wait for somebody else's word, and tokens that somebody should look at again.

use std::time::Duration;

use jiff::Timestamp;
use oauth::Form;
use serde::{Deserialize, Serialize};
use tokens::{Filter, ReviewRules, Status};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::Caller,
    manage::{find, of_tokens, page, wanted},
    notify::Event,
    view::{FindingView, TokenView},
};

const DAY: Duration = Duration::from_hours(24);
/// What the review takes for unused and long-lived.
const RULES: ReviewRules =
    ReviewRules { unused_for: DAY.saturating_mul(30), long_lived: DAY.saturating_mul(90) };

/// `GET /oauth/requests`: those that wait, as far as the caller sees.
pub(crate) fn list(api: &Api<'_>, caller: &Caller, query: &Form) -> Result<Answer, Fault> {
    let filter = Filter { status: Some(Status::Pending), ..wanted(query)? };
    page(api, &caller.seen(filter)?, query)
}

/// What a decision is sent with.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DecisionRequest {
    reason: Option<String>,
}

/// `POST /oauth/requests/{id}/approve` and `…/deny`. The tokens themselves see to it that nobody decides what they asked for.
pub(crate) async fn decide(
    api: &Api<'_>,
    caller: &Caller,
    id: &str,
    request: DecisionRequest,
    approve: bool,
) -> Result<Answer, Fault> {
    caller.must_command_all()?;
    let token = caller.commanded(find(api, id))?;
    let decision = caller.decides(request.reason.as_deref())?;
    let tokens = api.service.tokens();
    let decided = if approve {
        tokens.approve(&token.id, decision).await
    } else {
        tokens.deny(&token.id, decision).await
    };
    let decided = decided.map_err(|error| of_tokens(&error))?;
    api.service.tell(if approve { Event::Approved } else { Event::Denied }, &decided);
    Answer::json(&TokenView::new(&decided, Timestamp::now()))
}

#[derive(Serialize)]
struct ReviewAnswer<'a> {
    findings: Vec<FindingView<'a>>,
}

/// `GET /oauth/review`.
pub(crate) fn review(api: &Api<'_>, caller: &Caller, query: &Form) -> Result<Answer, Fault> {
    let now = Timestamp::now();
    let findings = api.service.tokens().review(&RULES, &caller.seen(wanted(query)?)?, now);
    Answer::json(&ReviewAnswer {
        findings: findings.iter().map(|finding| FindingView::new(finding, now)).collect(),
    })
}

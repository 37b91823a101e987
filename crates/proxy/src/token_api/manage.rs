//! Listing, showing, ending and rotating managed tokens.

use std::time::Duration;

use jiff::Timestamp;
use oauth::{ErrorCode, Form};
use serde::{Deserialize, Serialize};
use tokens::{Cursor, Filter, Rotation, Sort, Status, Token, TokenId, TokensError};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::Caller,
    issue,
    view::{ListView, TokenView},
};
use crate::{authenticate, errors, record::Entry};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// How many ids a bulk revocation tells, and its audit record names.
const MAX_TOLD: usize = 1000;

/// `GET /oauth/tokens`.
pub(crate) fn list(api: &Api<'_>, caller: &Caller, query: &Form) -> Result<Answer, Fault> {
    let filter = caller.seen(wanted(query)?)?;
    page(api, &filter, query)
}

/// A page of the tokens that a filter means, as the query wants it.
pub(crate) fn page(api: &Api<'_>, filter: &Filter, query: &Form) -> Result<Answer, Fault> {
    let now = Timestamp::now();
    let sort: Sort = query.get("sort").map(parse).transpose()?.unwrap_or_default();
    let limit = query.get("limit").map(parse::<usize>).transpose()?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("limit must be 1 to {MAX_LIMIT}")));
    }
    let cursor = query.get("cursor").map(|text| Cursor::parse(text, sort)).transpose();
    let cursor = cursor.map_err(|error| invalid(error.to_string()))?;
    let page = api.service.tokens().list(filter, sort, limit, cursor.as_ref(), now);
    Answer::json(&ListView {
        tokens: page.tokens.iter().map(|token| TokenView::new(token, now)).collect(),
        next_cursor: page.next.as_ref().map(Cursor::to_text),
    })
}

/// The filter that a query writes.
pub(crate) fn wanted(query: &Form) -> Result<Filter, Fault> {
    let text = |name: &str| query.get(name).map(Into::into);
    Ok(Filter {
        of: None,
        client_id: text("client_id"),
        owner: text("owner"),
        user: text("user"),
        scope: query.get("scope").map(parse).transpose()?,
        cluster: text("cluster"),
        status: query.get("status").map(status).transpose()?,
        created_by: text("created_by"),
        expires_before: query.get("expires_before").map(parse).transpose()?,
        unused_since: query.get("unused_since").map(parse).transpose()?,
    })
}

/// `GET /oauth/token/{id}`.
pub(crate) fn show(api: &Api<'_>, caller: &Caller, id: &str) -> Result<Answer, Fault> {
    let token = find(api, id).filter(|token| caller.sees(token)).ok_or_else(|| Fault::unknown("token"))?;
    Answer::json(&TokenView::new(&token, Timestamp::now()))
}

/// `DELETE /oauth/token/{id}`: 204, whether it had ended already or not.
pub(crate) async fn revoke(api: &Api<'_>, caller: &Caller, id: &str, query: &Form) -> Result<Answer, Fault> {
    let token = caller.commanded(find(api, id))?;
    let decision = caller.decides(query.get("reason"))?;
    api.service.tokens().revoke(&token.id, decision).await.map_err(|error| of_tokens(&error))?;
    api.token_ended(&token.owner);
    Ok(Answer::nothing())
}

/// What `POST /oauth/tokens/revoke` is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BulkRequest {
    client_id: Option<Box<str>>,
    owner: Option<Box<str>>,
    user: Option<Box<str>>,
    scope: Option<String>,
    cluster: Option<Box<str>>,
    status: Option<String>,
    created_by: Option<Box<str>>,
    expires_before: Option<Timestamp>,
    unused_since: Option<Timestamp>,
    /// Without a filter: all of them, said on purpose.
    all: bool,
    dry_run: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct BulkAnswer {
    matched: usize,
    revoked: usize,
    /// The first of them.
    token_ids: Vec<String>,
}

/// `POST /oauth/tokens/revoke`.
pub(crate) async fn revoke_many(
    api: &Api<'_>,
    caller: &Caller,
    request: BulkRequest,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let filter = Filter {
        of: None,
        client_id: request.client_id,
        owner: request.owner,
        user: request.user,
        scope: request.scope.as_deref().map(parse).transpose()?,
        cluster: request.cluster,
        status: request.status.as_deref().map(status).transpose()?,
        created_by: request.created_by,
        expires_before: request.expires_before,
        unused_since: request.unused_since,
    };
    if filter.is_empty() != request.all {
        return Err(invalid("give a filter, or `\"all\": true` and none"));
    }
    let filter = caller.ruled(filter)?;
    let decision = caller.decides(request.reason.as_deref())?;
    let done = api.service.tokens().revoke_matching(filter, decision, request.dry_run).await;
    let done = done.map_err(|error| of_tokens(&error))?;
    if !request.dry_run {
        done.matched.iter().for_each(|token| api.token_ended(&token.owner));
    }
    let token_ids: Vec<String> =
        done.matched.iter().take(MAX_TOLD).map(|token| token.id.to_string()).collect();
    entry.note(|record| {
        record.targets.clone_from(&token_ids);
        record.detail = Some(format!("{} matched, {} revoked", done.matched.len(), done.revoked));
    });
    Answer::json(&BulkAnswer { matched: done.matched.len(), revoked: done.revoked, token_ids })
}

/// What `POST /oauth/token/{id}/rotate` is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RotateRequest {
    /// Seconds that the old secret goes on working.
    overlap: u64,
    reason: Option<String>,
}

/// `POST /oauth/token/{id}/rotate`.
pub(crate) async fn rotate(
    api: &Api<'_>,
    caller: &Caller,
    id: &str,
    request: RotateRequest,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let token = caller.commanded(find(api, id))?;
    // A new secret is as good as a new token: nobody gets one for more than they hold, not even with a say over all.
    let stands_for = authenticate::principal_of(token.clone(), api.snapshot)
        .map_err(|error| Fault::presented(ErrorCode::InvalidRequest, "the token", &error.into()))?;
    if !token.is_of(&caller.party) || !caller.principal.holds_all_of(&stands_for) {
        let why = "a token can be rotated by its owner only, with a token that holds all its scopes; revoke it instead";
        return Err(Fault::new(ErrorCode::InsufficientScope, why));
    }
    let decision = caller.decides(request.reason.as_deref())?;
    let rotation = Rotation {
        overlap: Duration::from_secs(request.overlap),
        max_lifetime: longest(api, caller, &token, decision.at),
    };
    let rotated = api.service.tokens().rotate(&token.id, rotation, decision).await;
    let rotated = rotated.map_err(|error| of_tokens(&error))?;
    entry.note(|record| {
        record.targets.push(rotated.issued.token.id.to_string());
        record.detail = Some(format!("rotated; the old secret works until {}", rotated.old.expires_at));
    });
    issue::answer(&rotated.issued, None)
}

/// How long a rotated token may live. By itself a token gets no more time than it has left: for more, the provider must have vouched
/// for its owner again.
fn longest(api: &Api<'_>, caller: &Caller, token: &Token, now: Timestamp) -> Duration {
    if caller.principal.managed().is_some() {
        return token.expires_at.duration_since(now).try_into().unwrap_or_default();
    }
    let policies = api.service.policies();
    let policy = policies.policies.iter().find(|policy| Some(&policy.name) == token.policy.as_ref());
    policy.and_then(|policy| policy.max_lifetime).unwrap_or(policies.max_lifetime)
}

/// The token of an id as it stands in a path; `None` for anything that is none.
pub(crate) fn find(api: &Api<'_>, id: &str) -> Option<Token> {
    id.parse::<TokenId>().ok().and_then(|id| api.service.tokens().get(&id))
}

pub(crate) fn of_tokens(error: &TokensError) -> Fault {
    let code = match error {
        TokensError::NotFound(_) => return Fault::unknown("token"),
        TokensError::NoConsent(_) => return Fault::unknown("consent"),
        TokensError::NotAuthorized(_) => ErrorCode::InvalidGrant,
        TokensError::TooManyAuthorizations => ErrorCode::TemporarilyUnavailable,
        TokensError::Status { .. }
        | TokensError::AlreadyRotated { .. }
        | TokensError::Full(_)
        | TokensError::OwnerFull(_)
        | TokensError::PoliciesChanged { .. }
        | TokensError::TooManyConsents(_) => ErrorCode::Conflict,
        TokensError::OwnRequest(_) => ErrorCode::InsufficientScope,
        TokensError::Text(_) | TokensError::PoliciesTooLong(_) | TokensError::Lifetime => {
            ErrorCode::InvalidRequest
        }
        TokensError::Randomness(_) | TokensError::Store(_) => return Fault::internal(errors::chain(error)),
    };
    Fault::new(code, error.to_string())
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|error| invalid(format!("{text}: {error}")))
}

fn status(text: &str) -> Result<Status, Fault> {
    const ALL: [Status; 5] =
        [Status::Pending, Status::Active, Status::Revoked, Status::Denied, Status::Expired];
    ALL.into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| invalid("status must be pending, active, revoked, denied or expired"))
}

fn invalid(why: impl Into<String>) -> Fault {
    Fault::new(ErrorCode::InvalidRequest, why)
}

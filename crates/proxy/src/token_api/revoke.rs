//! Ending a token by its secret (RFC 7009), and tokens of providers by what they say.

use jiff::Timestamp;
use oauth::{ErrorCode, Form};
use oidc::BearerToken;
use serde::{Deserialize, Serialize};
use tokens::{RevocationId, RevocationOrder, Revoked, Secret};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::{Caller, decision},
    manage::of_tokens,
    view::RevocationView,
};
use crate::{authenticate, record::Entry};

/// `POST /oauth/revoke`: whoever holds a token may end it, as is wanted for one that leaked. What is no token, or none any more,
/// is no error (RFC 7009 section 2.2).
pub(crate) async fn secret(api: &Api<'_>, form: &Form, entry: &mut Entry) -> Result<Answer, Fault> {
    let text = form.required("token")?;
    let tokens = api.service.tokens();
    if Secret::is_meant_by(text) {
        if let Some(token) = Secret::parse(text).ok().and_then(|secret| tokens.find_by_secret(&secret)) {
            entry.note(|record| record.targets = vec![token.id.to_string()]);
            let decision = decision(token.owner.clone(), Some("revoked by its holder"))?;
            tokens.revoke(&token.id, decision).await.map_err(|error| of_tokens(&error))?;
            api.token_ended(&token.owner);
        }
        return Ok(Answer::done());
    }
    let Ok(token) = BearerToken::new(text.as_bytes(), api.snapshot.limits().token_size) else {
        return Ok(Answer::done());
    };
    let principal = match authenticate::of_provider(&token, api.snapshot).await {
        Ok(principal) => principal,
        Err(error) if error.is_unavailable() => return Err(error.into()),
        Err(_) => return Ok(Answer::done()),
    };
    let identity = principal.identity();
    let Some(jti) = identity.token_id.as_deref() else {
        let why = "the token has no jti to be revoked by; revoke it at its provider";
        return Err(Fault::new(ErrorCode::InvalidRequest, why));
    };
    entry.caller(identity);
    let order = RevocationOrder {
        of: Revoked::Jti(jti.into()),
        issuer: Some((*identity.issuer).into()),
        issued_before: None,
        until: authenticate::timestamp(identity.expires_at).and_then(|end| kept_until(api, end)),
    };
    let decision = decision(super::caller::party(identity), Some("revoked by its holder"))?;
    tokens.revoke_provider_tokens(order, decision).await.map_err(|error| of_tokens(&error))?;
    Ok(Answer::done())
}

/// What `POST /oauth/revocations` is sent: exactly one of the first three.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RevocationRequest {
    jti: Option<Box<str>>,
    client_id: Option<Box<str>>,
    subject: Option<Box<str>>,
    issuer: Option<Box<str>>,
    issued_before: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: Option<String>,
}

/// `POST /oauth/revocations`.
pub(crate) async fn add(
    api: &Api<'_>,
    caller: &Caller,
    request: RevocationRequest,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    caller.must_command_all()?;
    let of = match (request.jti, request.client_id, request.subject) {
        (Some(jti), None, None) => Revoked::Jti(jti),
        (None, Some(client), None) => Revoked::ClientId(client),
        (None, None, Some(subject)) => Revoked::Subject(subject),
        _ => return Err(invalid("give exactly one of jti, client_id and subject")),
    };
    if let Revoked::Jti(text) | Revoked::ClientId(text) | Revoked::Subject(text) = &of
        && text.is_empty()
    {
        return Err(invalid("jti, client_id and subject cannot be empty"));
    }
    if let Some(issuer) = &request.issuer
        && !api.snapshot.config().providers.iter().any(|known| *known.issuer == **issuer)
    {
        return Err(invalid("issuer is not that of a configured provider"));
    }
    if request.until.is_some_and(|until| until <= Timestamp::now()) {
        return Err(invalid("until lies in the past"));
    }
    let order = RevocationOrder {
        of,
        issuer: request.issuer,
        issued_before: request.issued_before,
        until: request.until.and_then(|end| kept_until(api, end)),
    };
    let decision = caller.decides(request.reason.as_deref())?;
    let added = api.service.tokens().revoke_provider_tokens(order, decision).await;
    let added = added.map_err(|error| of_tokens(&error))?;
    if let Revoked::ClientId(client) = &added.of {
        let issuer = added.issuer.as_deref();
        api.client_ended(|provider| issuer.is_none_or(|issuer| *provider.issuer == *issuer), client);
    }
    entry.note(|record| record.targets = vec![added.id.to_string()]);
    Answer::json(&RevocationView::new(&added)).map(Answer::created)
}

#[derive(Serialize)]
struct RevocationsAnswer<'a> {
    revocations: Vec<RevocationView<'a>>,
}

/// `GET /oauth/revocations`.
pub(crate) fn list(api: &Api<'_>, caller: &Caller) -> Result<Answer, Fault> {
    caller.must_see_all()?;
    let all = api.service.tokens().revocations();
    Answer::json(&RevocationsAnswer { revocations: all.iter().map(RevocationView::new).collect() })
}

/// `DELETE /oauth/revocations/{id}`.
pub(crate) async fn withdraw(api: &Api<'_>, caller: &Caller, id: &str) -> Result<Answer, Fault> {
    caller.must_command_all()?;
    let unknown = || Fault::unknown("revocation");
    let id: RevocationId = id.parse().map_err(|_| unknown())?;
    let found = api.service.tokens().withdraw_revocation(&id).await.map_err(|error| of_tokens(&error))?;
    if found { Ok(Answer::nothing()) } else { Err(unknown()) }
}

/// Until when a revocation is kept whose tokens end at `end`: managed tokens that were made from them may live longer, and must not
/// come back to life. `None`: for ever.
fn kept_until(api: &Api<'_>, end: Timestamp) -> Option<Timestamp> {
    let longest = Timestamp::now().checked_add(api.service.policies().max_lifetime).ok()?;
    Some(end.max(longest))
}

fn invalid(why: &str) -> Fault {
    Fault::new(ErrorCode::InvalidRequest, why)
}

//! What a token means, for who may know (RFC 7662).

use jiff::Timestamp;
use oauth::{Form, Introspection};
use oidc::{BearerToken, Identity};
use tokens::{Secret, Token};

use super::{
    Api,
    answer::{Answer, Fault},
    caller::Caller,
};
use crate::{authenticate, record::Entry};

/// `POST /oauth/introspect`. A token that the caller may not know of is answered like one that does not exist.
pub(crate) async fn token(
    api: &Api<'_>,
    caller: &Caller,
    form: &Form,
    entry: &mut Entry,
) -> Result<Answer, Fault> {
    let text = form.required("token")?;
    let found = if Secret::is_meant_by(text) {
        managed(api, caller, text, entry)
    } else {
        of_provider(api, caller, text).await?
    };
    Answer::json(&found.unwrap_or_else(Introspection::inactive))
}

fn managed(api: &Api<'_>, caller: &Caller, text: &str, entry: &mut Entry) -> Option<Introspection> {
    let secret = Secret::parse(text).ok()?;
    let token = api.service.tokens().admit(&secret, Timestamp::now()).ok()?;
    if !caller.sees(&token) {
        return None;
    }
    entry.note(|record| record.targets = vec![token.id.to_string()]);
    Some(of_record(&token))
}

fn of_record(token: &Token) -> Introspection {
    let seconds = |at: Timestamp| u64::try_from(at.as_second()).ok();
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    Introspection {
        active: true,
        scope: Some(scopes.join(" ")),
        client_id: token.owner.client_id.as_deref().map(str::to_owned),
        username: token.owner.user.as_deref().map(str::to_owned),
        token_type: Some("Bearer"),
        exp: seconds(token.expires_at),
        iat: seconds(token.created_at),
        sub: Some(token.owner.subject.to_string()),
        iss: Some(token.owner.issuer.to_string()),
        jti: Some(token.id.to_string()),
    }
}

async fn of_provider(api: &Api<'_>, caller: &Caller, text: &str) -> Result<Option<Introspection>, Fault> {
    let Ok(token) = BearerToken::new(text.as_bytes(), api.snapshot.limits().token_size) else {
        return Ok(None);
    };
    match authenticate::of_provider(&token, api.snapshot).await {
        Ok(principal) => {
            let identity = principal.identity();
            let own = caller.party.issuer == (*identity.issuer).into()
                && *caller.party.subject == *identity.subject
                && caller.principal.managed().is_none();
            Ok((own || caller.sees_all()).then(|| of_identity(identity)))
        }
        Err(error) if error.is_unavailable() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

fn of_identity(identity: &Identity) -> Introspection {
    let text = |value: &Option<std::sync::Arc<str>>| value.as_deref().map(str::to_owned);
    Introspection {
        active: true,
        scope: Some(identity.scopes.join(" ")),
        client_id: text(&identity.client_id),
        username: text(&identity.user_id),
        token_type: Some("Bearer"),
        exp: Some(identity.expires_at),
        iat: identity.issued_at,
        sub: Some(identity.subject.to_string()),
        iss: Some(identity.issuer.to_string()),
        jti: text(&identity.token_id),
    }
}

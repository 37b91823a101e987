//! The checks on claims that need no key.

use std::sync::Arc;
use std::time::Duration;

use claims::{Claims, Tree};
use serde_json::{Map, Value};

use crate::identity::{self, Identity};
use crate::jws::Jws;
use crate::members::{Json, Members};
use crate::{ProviderConfig, TokenError};

/// Where claims come from, which decides what may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// From a JWT.
    Token,
    /// From an introspection response, to be believed for so many seconds.
    Introspection { seconds: u64, audience_optional: bool },
    /// Kept since one of the other two was accepted. What was judged by the header or the clock is not judged again.
    Recorded { audience_optional: bool },
}

/// Checks the header `typ`.
pub(crate) fn header_type(config: &ProviderConfig, typ: Option<&str>) -> Result<(), TokenError> {
    let allowed = match typ {
        None => config.allow_missing_type,
        Some(typ) => config.token_types.iter().any(|allowed| bare(allowed).eq_ignore_ascii_case(bare(typ))),
    };
    if allowed { Ok(()) } else { Err(TokenError::WrongType) }
}

/// A media type without the `application/` that RFC 7515 section 4.1.9 lets a token leave out.
fn bare(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => typ,
    }
}

/// Checks all claims that do not come in a token, and makes the identity.
pub(crate) fn claims(
    config: &ProviderConfig,
    names: (&Arc<str>, &Arc<str>),
    claims: Map<String, Value>,
    now: u64,
    source: Source,
) -> Result<Identity, TokenError> {
    let identity = members(config, names, None, &Members::of(&claims), now, source)?;
    Ok(Identity { claims: claims.into(), ..identity })
}

/// Checks all claims of a token, and makes the identity. The caller verifies the signature as well.
pub(crate) fn token(
    config: &ProviderConfig,
    names: (&Arc<str>, &Arc<str>),
    jws: &Jws<'_>,
    now: u64,
) -> Result<Identity, TokenError> {
    let identity = members(config, names, jws.header.typ.as_deref(), &jws.claims, now, Source::Token)?;
    Ok(Identity { claims: Claims::of_text(jws.payload), ..identity })
}

/// The identity without its claims.
fn members(
    config: &ProviderConfig,
    (provider, issuer): (&Arc<str>, &Arc<str>),
    typ: Option<&str>,
    claims: &Members<'_>,
    now: u64,
    source: Source,
) -> Result<Identity, TokenError> {
    match text(claims, "iss")? {
        Some(iss) if iss == &**issuer => {}
        Some(_) => return Err(TokenError::UnknownIssuer),
        None if source == Source::Token => return Err(missing("iss")),
        None => {}
    }
    if !matches!(source, Source::Recorded { .. }) {
        purpose(config, typ, claims)?;
    }
    let audiences = audiences(claims)?;
    match source {
        Source::Introspection { audience_optional: true, .. }
        | Source::Recorded { audience_optional: true }
            if audiences.is_empty() => {}
        _ if audiences.is_empty() => return Err(missing("aud")),
        _ if audiences.iter().any(|audience| config.audiences.iter().any(|own| **own == **audience)) => {}
        _ => return Err(TokenError::WrongAudience),
    }
    let (expires_at, fresh_until) = times(config.leeway, claims, now, source)?;
    if claims.contains("cnf") && !config.allow_sender_constrained {
        return Err(TokenError::SenderConstrained);
    }
    for path in &config.required_claims {
        let given = path.look_up(|name| claims.get(name), |value| (*value != Json::Null).then_some(()));
        if given.is_none() {
            return Err(TokenError::MissingClaim(path.to_string()));
        }
    }

    let client_id = identity::client(&config.claims, claims);
    if source == Source::Token && typ.is_some_and(|typ| bare(typ).eq_ignore_ascii_case("at+jwt")) {
        profile(claims, client_id.is_some())?;
    }
    let subject: Arc<str> = match (text(claims, "sub")?.filter(|sub| !sub.is_empty()), &client_id) {
        (Some(sub), _) => sub.into(),
        (None, Some(client)) if config.allow_missing_subject || source != Source::Token => Arc::clone(client),
        _ => return Err(missing("sub")),
    };
    Ok(Identity {
        provider: Arc::clone(provider),
        issuer: Arc::clone(issuer),
        user_id: identity::user(&config.claims, claims, &subject, client_id.as_deref()),
        subject,
        client_id,
        token_id: text(claims, "jti")?.map(Into::into),
        scopes: identity::texts(&config.claims.scopes, claims, true),
        groups: identity::texts(&config.claims.groups, claims, false),
        audiences,
        expires_at,
        issued_at: number(claims, "iat")?,
        fresh_until,
        acr: claims.get("acr").and_then(Json::text).map(Into::into),
        opaque: matches!(source, Source::Introspection { .. }),
        claims: Claims::default(),
    })
}

/// What a token that claims the profile of RFC 9068 must hold by section 2.2 besides `iss`, `exp`, `aud` and `sub`. The
/// client may be named as configured, since some providers claim the profile and say `azp`.
fn profile(claims: &Members<'_>, names_client: bool) -> Result<(), TokenError> {
    if let Some(name) = ["iat", "jti"].into_iter().find(|name| !claims.contains(name)) {
        return Err(missing(name));
    }
    if names_client { Ok(()) } else { Err(missing("client_id")) }
}

/// Refuses tokens that were issued for something other than access (RFC 8725 section 3.11).
fn purpose(
    config: &ProviderConfig,
    header_type: Option<&str>,
    claims: &Members<'_>,
) -> Result<(), TokenError> {
    let access =
        |typ: &str| ["bearer", "at+jwt", "dpop"].iter().any(|name| bare(typ).eq_ignore_ascii_case(name));
    // Keycloak says in the claim `typ` what the token is for: Bearer, ID, Refresh, Offline, Logout.
    let claimed = text(claims, "typ")?;
    let allowed = match claimed {
        None => true,
        Some(typ) if typ.eq_ignore_ascii_case("ID") => !config.reject_id_tokens,
        Some(typ) => access(typ),
    };
    // Security event tokens and logout tokens (OIDC Back-Channel Logout section 2.4).
    let event = claims
        .get("events")
        .and_then(Json::as_object)
        .is_some_and(|events| events.names().any(|name| name.starts_with("http")));
    // `nonce` and the hashes are members of an ID token; some Keycloak versions copy `nonce` into access tokens, which
    // then say what they are.
    let said_to_be_access = claimed.is_some_and(access) || header_type.is_some_and(access);
    let id_token = claims.contains("at_hash")
        || claims.contains("c_hash")
        || (claims.contains("nonce") && !said_to_be_access);
    if !allowed || event || (id_token && config.reject_id_tokens) {
        return Err(TokenError::WrongType);
    }
    Ok(())
}

/// `aud`: one string or an array of strings (RFC 7519 section 4.1.3).
pub(crate) fn audiences(claims: &Members<'_>) -> Result<Vec<Box<str>>, TokenError> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Json::Text(audience)) => Ok(vec![(&**audience).into()]),
        Some(Json::Array(audiences)) => audiences
            .iter()
            .map(|audience| audience.text().map(Into::into).ok_or(TokenError::Malformed))
            .collect(),
        Some(_) => Err(TokenError::Malformed),
    }
}

/// Checks `exp`, `nbf` and `iat`; gives the end of the token and the end of believing it.
pub(crate) fn times(
    leeway: Duration,
    claims: &Members<'_>,
    now: u64,
    source: Source,
) -> Result<(u64, u64), TokenError> {
    let leeway = leeway.as_secs();
    let limit = match source {
        Source::Token => u64::MAX,
        Source::Recorded { .. } => {
            let expires_at = number(claims, "exp")?.unwrap_or(u64::MAX);
            return Ok((expires_at, u64::MAX));
        }
        Source::Introspection { seconds, .. } => now.saturating_add(seconds),
    };
    let expires_at = match (number(claims, "exp")?, source) {
        (Some(exp), _) => exp,
        (None, Source::Introspection { .. }) => limit,
        (None, Source::Token | Source::Recorded { .. }) => return Err(missing("exp")),
    };
    if now >= expires_at.saturating_add(leeway) {
        return Err(TokenError::Expired);
    }
    for name in ["nbf", "iat"] {
        if number(claims, name)?.is_some_and(|at| at > now.saturating_add(leeway)) {
            return Err(TokenError::NotYetValid);
        }
    }
    Ok((expires_at, expires_at.min(limit)))
}

pub(crate) fn text<'a>(claims: &'a Members<'_>, name: &str) -> Result<Option<&'a str>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.text().map(Some).ok_or(TokenError::Malformed),
    }
}

/// A `NumericDate`. Fractions, which RFC 7519 allows and nobody sends, are refused with negative numbers and strings.
fn number(claims: &Members<'_>, name: &str) -> Result<Option<u64>, TokenError> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::Number(Some(number))) => Ok(Some(*number)),
        Some(_) => Err(TokenError::Malformed),
    }
}

fn missing(name: &str) -> TokenError {
    TokenError::MissingClaim(name.to_owned())
}

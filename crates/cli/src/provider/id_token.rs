//! Who logged in, from the ID token (OpenID Connect Core 1.0 section 3.1.3.7).

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Grant;
use crate::error::{Error, Result, printable};

/// Tolerated difference between this clock and the provider's, in seconds.
const LEEWAY: i64 = 60;

#[derive(Debug, Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Value>,
    azp: Option<String>,
    exp: Option<i64>,
    nonce: Option<String>,
    sub: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    preferred_username: Option<String>,
}

/// Checks the ID token, if there is one, and says who logged in.
///
/// It came straight from the token endpoint over a verified connection, which section 3.1.3.7 (6) lets stand for its
/// signature. `nonce` is what was sent with the authorization request, if that was the way. Without an ID token the
/// access token is looked into, only for the name: to this program it is opaque.
pub(crate) fn who(grant: &Grant, issuer: &str, client_id: &str, nonce: Option<&str>) -> Result<String> {
    let name = match &grant.id_token {
        Some(token) => {
            let claims = claims(token.expose()).ok_or_else(|| wrong("it cannot be read"))?;
            check(&claims, issuer, client_id, nonce, Timestamp::now().as_second())?;
            name(&claims)
        }
        None => claims(grant.access_token.expose()).as_ref().and_then(name),
    };
    Ok(name.unwrap_or_else(|| "somebody whom the provider does not name".to_owned()))
}

fn check(claims: &Claims, issuer: &str, client_id: &str, nonce: Option<&str>, now: i64) -> Result<()> {
    if claims.iss.as_deref() != Some(issuer) {
        return Err(wrong("another issuer made it"));
    }
    let for_us = match &claims.aud {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == client_id),
        _ => false,
    };
    if !for_us || claims.azp.as_deref().is_some_and(|party| party != client_id) {
        return Err(wrong("it is for another client"));
    }
    if claims.exp.is_none_or(|end| end + LEEWAY < now) {
        return Err(wrong("it has expired; is this machine's clock right?"));
    }
    if nonce.is_some() && claims.nonce.as_deref() != nonce {
        return Err(wrong("it belongs to another login"));
    }
    Ok(())
}

fn wrong(why: &str) -> Error {
    Error::refused(format!("the provider's ID token is not accepted: {why}")).cure("log in again")
}

fn name(claims: &Claims) -> Option<String> {
    let email = claims.email.as_ref().filter(|_| claims.email_verified != Some(false));
    email.or(claims.preferred_username.as_ref()).or(claims.sub.as_ref()).map(|name| printable(name))
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload) = (parts.next()?, parts.next()?);
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_token_of_another_login_is_refused() {
        let good =
            json!({"iss": "https://login.example", "aud": "cli", "exp": 1000, "nonce": "n", "sub": "s"});
        let judge = |change: Value| {
            let mut claims = good.clone();
            for (name, value) in change.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let claims: Claims = serde_json::from_value(claims).unwrap();
            check(&claims, "https://login.example", "cli", Some("n"), 1000).is_ok()
        };
        for (change, expected) in [
            (json!({}), true),
            (json!({"aud": ["other", "cli"], "azp": "cli"}), true),
            (json!({"exp": 941}), true),
            (json!({"exp": 939}), false),
            (json!({"exp": null}), false),
            (json!({"iss": "https://login.example/"}), false),
            (json!({"iss": null}), false),
            (json!({"aud": "other"}), false),
            (json!({"aud": ["other"]}), false),
            (json!({"aud": null}), false),
            (json!({"aud": ["cli", "other"], "azp": "other"}), false),
            (json!({"nonce": "m"}), false),
            (json!({"nonce": null}), false),
        ] {
            assert_eq!(judge(change.clone()), expected, "{change}");
        }
    }

    #[test]
    fn people_go_by_the_name_they_know() {
        let named = |claims: Value| name(&serde_json::from_value(claims).unwrap());
        for (claims, expected) in [
            (json!({"sub": "s", "email": "d@example.com", "preferred_username": "d"}), Some("d@example.com")),
            (
                json!({"sub": "s", "email": "d@example.com", "email_verified": false, "preferred_username": "d"}),
                Some("d"),
            ),
            (json!({"sub": "s"}), Some("s")),
            (json!({"preferred_username": "a\u{1b}[2Jb"}), Some("a [2Jb")),
            (json!({}), None),
        ] {
            assert_eq!(named(claims.clone()).as_deref(), expected, "{claims}");
        }
    }
}

//! What reads introspection answers, over any bytes. Panics when a promise is broken.

use oidc::any_bytes;
use serde_json::{Map, Value};

use super::provider::{AUDIENCE, CONFIG, ISSUER};

/// Seconds since 1970.
const NOW: u64 = 1_800_000_000;

/// The answer of an introspection endpoint.
pub fn run(bytes: &[u8]) {
    if let Some(members) = any_bytes::object(bytes) {
        assert_eq!(serde_json::from_slice(bytes).ok(), Some(members), "another object was read");
    }
    let Some(identity) = any_bytes::introspection(&CONFIG, bytes, NOW) else { return };
    let answer: Map<String, Value> = serde_json::from_slice(bytes).unwrap_or_default();
    assert_eq!(answer.get("active"), Some(&Value::Bool(true)), "a token that is not active was taken");
    assert!(answer.get("iss").is_none_or(|issuer| issuer == ISSUER), "a token of another issuer was taken");
    let meant = match answer.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == AUDIENCE),
        Some(audience) => audience == AUDIENCE,
        None => false,
    };
    assert!(meant, "a token for others was taken");
    let leeway = CONFIG.leeway.as_secs();
    let early = ["nbf", "iat"]
        .iter()
        .any(|&name| answer.get(name).and_then(Value::as_u64).is_some_and(|at| at > NOW + leeway));
    assert!(!early, "a token was taken before its time");
    assert!(identity.expires_at.saturating_add(leeway) > NOW, "a token was taken after its time");
    assert!(identity.fresh_until <= NOW + 60, "an answer is believed for longer than it may be");
    assert!(!identity.subject.is_empty() && *identity.issuer == *ISSUER, "a token of nobody was taken");
    assert!(!answer.contains_key("cnf"), "a token was taken without its proof");
}

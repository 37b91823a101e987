//! What reads the answers of providers, without a provider: for fuzzing, which feeds it any bytes. No part of the interface.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use crate::discovery::Document;
use crate::jwk::{KeySet, Verdict};
use crate::validation::{self, Source};
use crate::{
    Algorithm, BearerToken, Identity, ProviderConfig, RelayError, introspection, relay, strict_json,
};

/// The addresses that are used of a discovery document, if it is one of this provider.
pub fn discovery(config: &ProviderConfig, body: &[u8]) -> Option<Vec<Url>> {
    let document: Document = serde_json::from_slice(body).ok()?;
    let metadata = document.judge("any", &config.issuer, config.allow_http, Duration::ZERO).ok()?;
    Some([metadata.jwks_uri, metadata.introspection_endpoint].into_iter().flatten().collect())
}

/// How many keys of a JWK Set are used, and whether any of them finds this signature valid by any algorithm. `None` if it is no JWK Set.
pub fn keys(body: &[u8], message: &[u8], signature: &[u8]) -> Option<(usize, bool)> {
    let keys = KeySet::parse(body)?;
    let verdict = |algorithm| keys.verify(algorithm, None, message, signature);
    Some((keys.len(), Algorithm::ALL.into_iter().any(|algorithm| verdict(algorithm) == Verdict::Valid)))
}

/// Whom an introspection answer tells of at `now`, in seconds since 1970.
pub fn introspection(config: &ProviderConfig, body: &[u8], now: u64) -> Option<Identity> {
    let (name, issuer) = (config.name.as_str().into(), config.issuer.as_str().into());
    let source = Source::Introspection { seconds: 60, audience_optional: false };
    let check = |claims| validation::claims(config, (&name, &issuer), claims, now, source);
    introspection::judge(introspection::read(body).ok()?, check).ok()
}

/// The access token that a token endpoint answers with this status.
///
/// # Errors
/// Whatever a client of the proxy is told of its own request.
pub fn token_answer(status: StatusCode, body: &[u8], max_length: usize) -> Result<BearerToken, RelayError> {
    match status {
        StatusCode::OK => relay::tokens(body, max_length).map(|answer| answer.access_token),
        status => Err(relay::refusal(body, status)),
    }
}

/// The members of a JSON object, as those of tokens and answers are read.
pub fn object(body: &[u8]) -> Option<Map<String, Value>> {
    strict_json::object(body).ok()
}

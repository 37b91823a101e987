//! Asking a provider for a client's own token (RFC 6749 section 4.4) with the credentials that the client gave, so that
//! the provider alone decides whether they are good. Nothing of them is kept or logged.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::discovery::is_secure;
use crate::provider::Provider;
use crate::{BearerToken, FetchError, Providers, strict_json};

/// A client's credentials, passed on as they came.
#[derive(Clone, Copy)]
pub enum ClientProof<'a> {
    /// `client_secret_basic`: the whole `Authorization` header.
    Basic(&'a HeaderValue),
    /// `client_secret_post`.
    Post {
        /// The client.
        client_id: &'a str,
        /// Its secret.
        client_secret: &'a str,
    },
    /// `private_key_jwt` (RFC 7523 section 2.2).
    Assertion {
        /// The client, if it is named beside the assertion.
        client_id: Option<&'a str>,
        /// The assertion.
        assertion: &'a str,
    },
}

impl fmt::Debug for ClientProof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic(_) => "Basic(…)",
            Self::Post { .. } => "Post(…)",
            Self::Assertion { .. } => "Assertion(…)",
        })
    }
}

/// Why a provider gave no token. Nothing of its answer but a registered error code is repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// No provider has this name.
    #[error("no provider has this name")]
    UnknownProvider,
    /// It publishes no token endpoint that can be used.
    #[error("the identity provider names no token endpoint that is https")]
    NoTokenEndpoint,
    /// More calls to it are under way than it is sent at once.
    #[error("too many clients ask the identity provider at once")]
    Busy,
    /// It could not be asked.
    #[error("the identity provider cannot be asked")]
    Unavailable(#[source] FetchError),
    /// It refused.
    #[error("the identity provider answered {}", .0.as_str())]
    Refused(ProviderRefusal),
    /// It answered with something else than a bearer token.
    #[error("the identity provider's answer cannot be used: {0}")]
    Unusable(&'static str),
}

/// The errors of RFC 6749 section 5.2 and RFC 8707 section 2 that a provider may answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum ProviderRefusal {
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
    UnsupportedGrantType,
}

impl ProviderRefusal {
    const ALL: [Self; 7] = [
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::InvalidRequest,
        Self::InvalidScope,
        Self::InvalidTarget,
        Self::UnauthorizedClient,
        Self::UnsupportedGrantType,
    ];

    /// As RFC 6749 writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.as_str() == text)
    }
}

impl Providers {
    /// The client's own token of the provider with this name. `scope` is what it is asked for; a token longer than
    /// `max_length` bytes is not taken. The token is not checked: see [`authenticate`](Self::authenticate).
    pub async fn client_credentials(
        &self,
        provider: &str,
        proof: ClientProof<'_>,
        scope: Option<&str>,
        max_length: usize,
    ) -> Result<BearerToken, RelayError> {
        let provider = self.named(provider).ok_or(RelayError::UnknownProvider)?;
        let outcome = ask(provider, proof, scope, max_length).await;
        match &outcome {
            Err(RelayError::Unavailable(error)) => {
                tracing::warn!(provider = %provider.name, %error, "the token endpoint cannot be asked");
                let mut health = provider.health();
                health.failures += 1;
                health.last_error = Some(error.to_string());
            }
            Err(error @ (RelayError::Unusable(_) | RelayError::NoTokenEndpoint)) => {
                tracing::warn!(provider = %provider.name, %error, "the token endpoint is of no use");
            }
            _ => {}
        }
        outcome
    }
}

async fn ask(
    provider: &Arc<Provider>,
    proof: ClientProof<'_>,
    scope: Option<&str>,
    max_length: usize,
) -> Result<BearerToken, RelayError> {
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend(scope.map(|scope| ("scope", scope)));
    let mut authorization = None;
    match proof {
        ClientProof::Basic(header) => authorization = Some(header),
        ClientProof::Post { client_id, client_secret } => {
            fields.extend([("client_id", client_id), ("client_secret", client_secret)]);
        }
        ClientProof::Assertion { client_id, assertion } => {
            fields.extend(client_id.map(|client_id| ("client_id", client_id)));
            fields.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
            fields.push(("client_assertion", assertion));
        }
    }
    token_endpoint(provider, &fields, authorization, max_length).await.map(|answer| answer.access_token)
}

/// What a token endpoint issued. Nothing of it is checked.
pub(crate) struct Answer {
    pub(crate) access_token: BearerToken,
    pub(crate) id_token: Option<Zeroizing<String>>,
}

/// Posts to the token endpoint of a provider.
pub(crate) async fn token_endpoint(
    provider: &Provider,
    fields: &[(&str, &str)],
    authorization: Option<&HeaderValue>,
    max_length: usize,
) -> Result<Answer, RelayError> {
    // Whoever has no credentials at all can make the proxy call the provider: no more than a few at once, and no queue.
    let _turn = provider.relays.try_acquire().map_err(|_| RelayError::Busy)?;
    let metadata = provider.known_metadata().await.map_err(RelayError::Unavailable)?;
    let url = metadata
        .token_endpoint
        .as_ref()
        .filter(|url| is_secure(url, provider.config.allow_http))
        .ok_or(RelayError::NoTokenEndpoint)?;
    let response = provider
        .http
        .post_form(url, fields, authorization)
        .await
        .map_err(|error| RelayError::Unavailable(error.into()))?;
    match response.status {
        StatusCode::OK => tokens(&response.body, max_length),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Err(refusal(&response.body, status))
        }
        status => Err(RelayError::Unavailable(FetchError::Status { url: response.url().to_owned(), status })),
    }
}

pub(crate) fn tokens(body: &[u8], max_length: usize) -> Result<Answer, RelayError> {
    let answer = strict_json::object(body).map_err(|_| RelayError::Unusable("it is no JSON object"))?;
    if !member(&answer, "token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(RelayError::Unusable("its token is no bearer token"));
    }
    let token = member(&answer, "access_token").ok_or(RelayError::Unusable("it has no access_token"))?;
    let access_token = BearerToken::new(token.as_bytes(), max_length)
        .map_err(|_| RelayError::Unusable("its access_token is malformed or too long"))?;
    let id_token = member(&answer, "id_token").map(|token| Zeroizing::new(token.to_owned()));
    Ok(Answer { access_token, id_token })
}

pub(crate) fn refusal(body: &[u8], status: StatusCode) -> RelayError {
    // The status is for failed client authentication alone (RFC 6749 section 5.2), whatever else the body calls it.
    if status == StatusCode::UNAUTHORIZED {
        return RelayError::Refused(ProviderRefusal::InvalidClient);
    }
    let error = strict_json::object(body)
        .ok()
        .and_then(|answer| member(&answer, "error").and_then(ProviderRefusal::of));
    error.map_or(RelayError::Unusable("it is no error of RFC 6749"), RelayError::Refused)
}

fn member<'a>(answer: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    answer.get(name).and_then(Value::as_str)
}

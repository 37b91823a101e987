//! Who asks: the bearer token of a request, verified.

use std::{sync::Arc, time::SystemTime};

use oidc::{BearerToken, TokenError};

use crate::{classify::Classified, intake::Received, principal::Principal, snapshot::Snapshot};

/// A request whose caller is known.
#[derive(Debug)]
pub struct Authenticated {
    /// The request and what it asks.
    pub classified: Classified,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// The token itself, for the `forward` identity alone.
    pub token: BearerToken,
}

/// A request that nobody is known to ask, with the reason. What it asks belongs into the challenge.
#[derive(Debug)]
pub struct Unidentified {
    /// The request and what it asks.
    pub classified: Classified,
    /// Why.
    pub error: AuthenticationError,
}

/// Why nobody is known to ask.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// No `Authorization` header.
    #[error("a bearer token is needed")]
    NoToken,
    /// More than one credential (RFC 6750 §2: exactly one method a request).
    #[error("the request has more than one Authorization header; send one")]
    SeveralCredentials,
    /// The token was refused.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl AuthenticationError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::SeveralCredentials => "several_credentials",
            Self::Token(error) => error.reason(),
        }
    }
}

/// Verifies the token of `classified`, from the cache if it was verified before.
pub async fn identify(
    classified: Classified,
    snapshot: &Snapshot,
) -> Result<Authenticated, Box<Unidentified>> {
    match caller(&classified.received, snapshot).await {
        Ok((principal, token)) => Ok(Authenticated { classified, principal, token }),
        Err(error) => Err(Box::new(Unidentified { classified, error })),
    }
}

async fn caller(
    received: &Received,
    snapshot: &Snapshot,
) -> Result<(Arc<Principal>, BearerToken), AuthenticationError> {
    let value = match received.authorization.as_slice() {
        [] => return Err(AuthenticationError::NoToken),
        [value] => value,
        [_, _, ..] => return Err(AuthenticationError::SeveralCredentials),
    };
    let token = BearerToken::from_authorization(value.as_bytes(), snapshot.limits().token_size)?;
    let principal = verify(&token, snapshot).await?;
    Ok((principal, token))
}

async fn verify(token: &BearerToken, snapshot: &Snapshot) -> Result<Arc<Principal>, TokenError> {
    let hash = token.hash();
    let providers = snapshot.providers();
    // The epoch is read before the keys are: should a key be withdrawn in between, the entry is void at once.
    let epoch = providers.epoch();
    if let Some(principal) = snapshot.tokens().get(&hash, unix_now(), epoch) {
        return Ok(principal);
    }
    let identity = providers.authenticate(token).await?;
    let fresh_until = identity.fresh_until;
    let principal = Arc::new(Principal::new(identity, snapshot));
    snapshot.tokens().insert(hash, Arc::clone(&principal), fresh_until, unix_now(), epoch);
    Ok(principal)
}

/// Seconds since 1970. A clock before 1970 reads as the end of time: nothing cached is believed.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

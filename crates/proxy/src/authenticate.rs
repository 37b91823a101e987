//! Who asks: the bearer token of a request, verified. A token of a provider is checked with the provider's keys, a managed token
//! is looked up and never shown to a provider.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::HeaderValue;
use jiff::Timestamp;
use oidc::{BearerToken, Identity, TokenError};
use tokens::{Credential, RefusalReason, Secret, SecretError, Token};

use crate::{classify::Classified, principal::Principal, rate_limits, snapshot::Snapshot};

/// The epoch under which managed tokens are cached: no key of a provider has a say in them.
const MANAGED: u64 = 0;

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
    /// The token was meant to be a managed one, and is not.
    #[error(transparent)]
    NotManaged(#[from] SecretError),
    /// The managed token does not count now.
    #[error("{0}")]
    Managed(RefusalReason),
    /// The provider's token is good, and was revoked here.
    #[error("the token was revoked")]
    Revoked,
    /// So many tokens of this address were refused lately that another is not verified.
    #[error("too many tokens from this address were refused; try again in {} s", rate_limits::seconds(*.0))]
    TooManyFailures(Duration),
}

impl AuthenticationError {
    /// The stable reason code.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::SeveralCredentials => "several_credentials",
            Self::Token(error) => error.reason(),
            Self::NotManaged(_) => "managed_token_malformed",
            Self::Managed(RefusalReason::Unknown) => "managed_token_unknown",
            Self::Managed(RefusalReason::Pending) => "managed_token_pending",
            Self::Managed(RefusalReason::Denied) => "managed_token_denied",
            Self::Managed(RefusalReason::Revoked) => "managed_token_revoked",
            Self::Managed(RefusalReason::Expired) => "managed_token_expired",
            Self::Managed(RefusalReason::Stale) => "managed_tokens_stale",
            Self::Revoked => "token_revoked",
            Self::TooManyFailures(_) => "too_many_failures",
        }
    }

    /// Whether a token was looked at and found wanting.
    fn is_of_token(&self) -> bool {
        match self {
            Self::NoToken
            | Self::SeveralCredentials
            | Self::Token(TokenError::OtherScheme)
            | Self::TooManyFailures(_) => false,
            error => !error.is_unavailable(),
        }
    }

    /// Whether the fault is not the token's: to be answered with 503, not 401.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Token(error) => error.is_unavailable(),
            Self::Managed(reason) => *reason == RefusalReason::Stale,
            _ => false,
        }
    }
}

/// Verifies the token of `classified`, from the cache if it was verified before. `source` is the address it came from.
pub async fn identify(
    classified: Classified,
    snapshot: &Snapshot,
    source: IpAddr,
) -> Result<Authenticated, Box<Unidentified>> {
    match caller(&classified.received.authorization, snapshot, source).await {
        Ok((principal, token)) => {
            Ok(Authenticated { classified: classified.asked_by(&principal), principal, token })
        }
        Err(error) => Err(Box::new(Unidentified { classified, error })),
    }
}

/// The caller that these `Authorization` headers stand for. A token that is refused counts against the address that it came from.
pub async fn caller(
    authorization: &[HeaderValue],
    snapshot: &Snapshot,
    source: IpAddr,
) -> Result<(Arc<Principal>, BearerToken), AuthenticationError> {
    let found = known_caller(authorization, snapshot, source).await;
    if let (Err(error), Some(failures)) = (&found, snapshot.rate_limits().failures())
        && error.is_of_token()
    {
        failures.count(source, Instant::now());
    }
    found
}

async fn known_caller(
    authorization: &[HeaderValue],
    snapshot: &Snapshot,
    source: IpAddr,
) -> Result<(Arc<Principal>, BearerToken), AuthenticationError> {
    let value = match authorization {
        [] => return Err(AuthenticationError::NoToken),
        [value] => value,
        [_, _, ..] => return Err(AuthenticationError::SeveralCredentials),
    };
    let token = BearerToken::from_authorization(value.as_bytes(), snapshot.limits().token_size)?;
    let is_managed = Secret::is_meant_by(token.expose());
    if let Some(failures) = snapshot.rate_limits().failures()
        && let Err(wait) = failures.permit(source, Instant::now())
    {
        let epoch = if is_managed { MANAGED } else { snapshot.providers().epoch() };
        if snapshot.tokens().get(&token.hash(), unix_now(), epoch).is_none() {
            return Err(AuthenticationError::TooManyFailures(wait));
        }
    }
    let principal =
        if is_managed { managed(&token, snapshot, source)? } else { of_provider(&token, snapshot).await? };
    Ok((principal, token))
}

/// Verifies a token of a provider.
pub async fn of_provider(
    token: &BearerToken,
    snapshot: &Snapshot,
) -> Result<Arc<Principal>, AuthenticationError> {
    let principal = verified(token, snapshot).await?;
    not_revoked(principal.identity(), snapshot)?;
    Ok(principal)
}

/// Refuses whom a provider's token speaks for that was revoked here.
pub fn not_revoked(identity: &Identity, snapshot: &Snapshot) -> Result<(), AuthenticationError> {
    if let Some(service) = snapshot.token_service() {
        let credential = Credential {
            issuer: &identity.issuer,
            subject: &identity.subject,
            client_id: identity.client_id.as_deref(),
            jti: identity.token_id.as_deref(),
            issued_at: identity.issued_at.and_then(timestamp),
        };
        // Asked each time: what the cache holds was verified before the revocation.
        if service.tokens().is_revoked(&credential).is_some() {
            return Err(AuthenticationError::Revoked);
        }
    }
    Ok(())
}

async fn verified(token: &BearerToken, snapshot: &Snapshot) -> Result<Arc<Principal>, TokenError> {
    let hash = token.hash();
    let providers = snapshot.providers();
    // The epoch is read before the keys are: should a key be withdrawn in between, the entry is void at once.
    let epoch = providers.epoch();
    if let Some(principal) = snapshot.tokens().get(&hash, unix_now(), epoch) {
        return Ok(principal);
    }
    let identity = Box::pin(providers.authenticate(token)).await?;
    let fresh_until = identity.fresh_until;
    let principal = Arc::new(Principal::new(identity, snapshot));
    snapshot.tokens().insert(hash, Arc::clone(&principal), fresh_until, unix_now(), epoch);
    Ok(principal)
}

/// Looks a managed token up. Its state is asked each time; what it may do is worked out once for each state.
fn managed(
    token: &BearerToken,
    snapshot: &Snapshot,
    source: IpAddr,
) -> Result<Arc<Principal>, AuthenticationError> {
    // Without a token service no such token is good, and none is shown to a provider either.
    let service = snapshot.token_service().ok_or(TokenError::OpaqueNotAccepted)?;
    let secret = Secret::parse(token.expose())?;
    let found: Token = service
        .tokens()
        .admit(&secret, Timestamp::now())
        .map_err(|refusal| AuthenticationError::Managed(refusal.reason))?;
    found.touch(Timestamp::now(), Some(source));
    let hash = token.hash();
    if let Some(principal) = snapshot.tokens().get(&hash, unix_now(), MANAGED)
        && principal.managed().is_some_and(|known| known.version() == found.version())
    {
        return Ok(principal);
    }
    let principal = Arc::new(principal_of(found, snapshot)?);
    snapshot.tokens().insert(hash, Arc::clone(&principal), u64::MAX, unix_now(), MANAGED);
    Ok(principal)
}

/// What a managed token stands for by the rules of now.
pub fn principal_of(token: Token, snapshot: &Snapshot) -> Result<Principal, TokenError> {
    let identity = snapshot.providers().recall(&token.created_by.issuer, token.claims.to_map())?;
    Ok(Principal::of_managed(identity, token, snapshot))
}

/// Seconds since 1970. A clock before 1970 reads as the end of time: nothing cached is believed.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

/// Seconds since 1970, as a moment; `None` beyond the year 9999.
pub fn timestamp(seconds: u64) -> Option<Timestamp> {
    i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok())
}

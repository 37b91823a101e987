//! One provider: its documents, kept fresh, and the tokens of its issuer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use transport::HttpClient;
use url::Url;

use crate::discovery::Metadata;
use crate::introspection::{Endpoint, Introspector};
use crate::jwk::{KeySet, Verdict};
use crate::jws::Jws;
use crate::refresh::{FetchState, Refetch};
use crate::status::Health;
use crate::validation::{self, Source};
use crate::{
    BearerToken, Clock, ConfigError, FetchError, Identity, KeySource, ProviderConfig, ProviderStatus,
    TokenError, config,
};

/// Documents of providers are a few kilobytes; beyond this they are refused.
const MAX_DOCUMENT: usize = 1024 * 1024;
/// How many key ids that turned out not to exist are remembered.
const UNKNOWN_KEYS: usize = 1024;
/// Calls of the token endpoint at the same time; more are refused.
const MAX_RELAYS: usize = 32;

/// A provider: what it is configured to be and what was fetched from it.
pub(crate) struct Provider {
    pub(crate) config: ProviderConfig,
    pub(crate) name: Arc<str>,
    pub(crate) issuer: Arc<str>,
    pub(crate) base: Url,
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: ArcSwap<KeySet>,
    pub(crate) metadata: ArcSwapOption<Metadata>,
    pub(crate) fetching: tokio::sync::Mutex<FetchState>,
    /// Counts finished fetches, so that who waited for one can tell.
    pub(crate) generation: AtomicU64,
    /// Shared by all providers: see [`Providers::epoch`](crate::Providers::epoch).
    pub(crate) epoch: Arc<AtomicU64>,
    pub(crate) unknown_keys: Cache<[u8; 32], Duration>,
    introspector: Introspector,
    /// Calls of the token endpoint at the same time.
    pub(crate) relays: Semaphore,
    health: Mutex<Health>,
}

impl Provider {
    pub(crate) fn new(
        config: ProviderConfig,
        clock: Arc<dyn Clock>,
        epoch: Arc<AtomicU64>,
    ) -> Result<Self, ConfigError> {
        let base = config::check(&config)?;
        let http = HttpClient::new(&config.tls, config.http_proxy.as_ref(), config.timeout, MAX_DOCUMENT)
            .map_err(|source| ConfigError::Tls { provider: config.name.clone(), source: Box::new(source) })?;
        Ok(Self {
            name: config.name.as_str().into(),
            issuer: config.issuer.as_str().into(),
            base,
            http,
            clock,
            keys: ArcSwap::default(),
            metadata: ArcSwapOption::empty(),
            fetching: tokio::sync::Mutex::default(),
            generation: AtomicU64::new(0),
            epoch,
            unknown_keys: Cache::new(UNKNOWN_KEYS),
            introspector: Introspector::new(),
            relays: Semaphore::new(MAX_RELAYS),
            health: Mutex::default(),
            config,
        })
    }

    pub(crate) fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    pub(crate) fn introspects(&self) -> bool {
        self.config.introspection.is_some()
    }

    pub(crate) fn status(&self) -> ProviderStatus {
        let keys = self.keys.load().len();
        let health = self.health();
        let verified_by_keys = self.config.keys != KeySource::IntrospectionOnly;
        let too_stale = verified_by_keys && self.keys_last(health.fetched_at).is_none();
        let ready =
            if verified_by_keys { keys > 0 && !too_stale } else { self.introspection_endpoint().is_some() };
        ProviderStatus {
            name: Arc::clone(&self.name),
            issuer: Arc::clone(&self.issuer),
            ready,
            too_stale,
            verified_by_keys,
            keys,
            fetched_age: health.fetched_at.map(|at| self.clock.monotonic().saturating_sub(at)),
            fetches: health.fetches,
            failures: health.failures,
            consecutive_failures: health.consecutive_failures,
            last_error: health.last_error.clone(),
        }
    }

    /// Checks a JWT of this issuer.
    pub(crate) async fn check_jwt(
        self: &Arc<Self>,
        token: &BearerToken,
        jws: &Jws<'_>,
    ) -> Result<Identity, TokenError> {
        if self.config.keys == KeySource::IntrospectionOnly {
            return self.introspect(token).await.map(|identity| (*identity).clone());
        }
        if !self.config.algorithms.contains(&jws.header.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        validation::header_type(&self.config, jws.header.typ.as_deref())?;
        // Claims before the signature: neither a fetch nor a signature check is spent on a token that is refused anyway.
        let now = self.clock.unix();
        let names = (&self.name, &self.issuer);
        let mut identity = validation::token(&self.config, names, jws, now)?;
        let keys_last = self.verify_fresh(&Signed::of(jws)).await?;
        // Who caches the result asks again when the keys that gave it are too old.
        identity.fresh_until = identity.fresh_until.min(now.saturating_add(keys_last.as_secs()));

        if self.config.introspection.as_ref().is_some_and(|introspection| introspection.introspect_jwt) {
            let active = self.introspect(token).await?;
            identity.fresh_until = identity.fresh_until.min(active.fresh_until);
        }
        Ok(identity)
    }

    /// Checks the signature of a token that is no access token, and nothing else of it.
    pub(crate) async fn check_signature(self: &Arc<Self>, jws: &Jws<'_>) -> Result<(), TokenError> {
        if !self.config.algorithms.contains(&jws.header.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        self.verify_fresh(&Signed::of(jws)).await.map(drop)
    }

    /// Checks a signature with keys that are not too old: how long they still count.
    async fn verify_fresh(self: &Arc<Self>, signed: &Signed<'_>) -> Result<Duration, TokenError> {
        let fetched_at = self.health().fetched_at;
        let keys_last = self.keys_last(fetched_at).ok_or(TokenError::ProviderUnavailable)?;
        self.verify(signed).await?;
        Ok(keys_last)
    }

    async fn verify(self: &Arc<Self>, signed: &Signed<'_>) -> Result<(), TokenError> {
        let generation = self.generation.load(Ordering::Acquire);
        let first = signed.verdict(&self.keys.load());
        // A token that names no key may be signed with a key published since.
        if first == Verdict::Unknown || (first == Verdict::Invalid && signed.key_id.is_none()) {
            let refetch = self.refetch(signed.key_id, generation).await;
            let second = signed.verdict(&self.keys.load());
            if second != Verdict::Valid && matches!(refetch, Refetch::Fetched) {
                self.remember_unknown(signed.key_id);
            }
            return self.conclude(second);
        }
        self.conclude(first)
    }

    fn conclude(&self, verdict: Verdict) -> Result<(), TokenError> {
        match verdict {
            Verdict::Valid => Ok(()),
            Verdict::Invalid => Err(TokenError::BadSignature),
            Verdict::Unfit => Err(TokenError::AlgorithmNotAllowed),
            Verdict::Unknown => {
                // With documents missing or out of date, nobody knows whether the key exists.
                let health = self.health();
                let certain = health.fetched_at.is_some() && health.consecutive_failures == 0;
                Err(if certain { TokenError::UnknownKey } else { TokenError::ProviderUnavailable })
            }
        }
    }

    /// Introspects a token at this provider.
    pub(crate) async fn introspect(&self, token: &BearerToken) -> Result<Arc<Identity>, TokenError> {
        let config = self.config.introspection.as_ref().ok_or(TokenError::OpaqueNotAccepted)?;
        let url = self.introspection_endpoint().ok_or(TokenError::ProviderUnavailable)?;
        let now = self.clock.unix();
        let check = |claims, source| {
            validation::claims(&self.config, (&self.name, &self.issuer), claims, now, source)
        };
        let report = |result: Result<(), &FetchError>| {
            if let Err(error) = result {
                tracing::warn!(provider = %self.name, %error, "introspection failed");
                let mut health = self.health();
                health.failures += 1;
                health.last_error = Some(error.to_string());
            }
        };
        let endpoint = Endpoint { http: &self.http, url: &url, config };
        self.introspector.introspect(endpoint, token, now, check, report).await
    }

    /// Whom claims of this issuer speak for that were verified earlier.
    pub(crate) fn recall(&self, claims: Map<String, Value>) -> Result<Identity, TokenError> {
        let audience_optional = self
            .config
            .introspection
            .as_ref()
            .is_some_and(|introspection| introspection.allow_missing_audience);
        let names = (&self.name, &self.issuer);
        let source = Source::Recorded { audience_optional };
        validation::claims(&self.config, names, claims, self.clock.unix(), source)
    }

    fn introspection_endpoint(&self) -> Option<Url> {
        let configured = self.config.introspection.as_ref()?.endpoint.clone();
        configured.or_else(|| self.metadata.load().as_ref()?.introspection_endpoint.clone())
    }

    pub(crate) fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signed part of a token.
struct Signed<'a> {
    algorithm: crate::Algorithm,
    key_id: Option<&'a str>,
    message: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn of(jws: &'a Jws<'_>) -> Self {
        Self {
            algorithm: jws.header.algorithm,
            key_id: jws.header.key_id.as_deref(),
            message: jws.signing_input,
            signature: &jws.signature,
        }
    }

    fn verdict(&self, keys: &KeySet) -> Verdict {
        keys.verify(self.algorithm, self.key_id, self.message, self.signature)
    }
}

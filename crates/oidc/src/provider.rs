//! One provider: its documents, kept fresh, and the tokens of its issuer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, header};
use quick_cache::sync::Cache;
use transport::HttpClient;
use url::Url;

use crate::discovery::{self, Metadata};
use crate::introspection::{Endpoint, Introspector};
use crate::jwk::{KeySet, Verdict};
use crate::jws::Jws;
use crate::validation::{self, Source};
use crate::{BearerToken, Clock, ConfigError, FetchError, Identity, KeySource, ProviderConfig, TokenError};

/// Documents of providers are a few kilobytes; beyond this they are refused.
const MAX_DOCUMENT: usize = 1024 * 1024;
/// How long a discovery document is used before it is fetched again together with the keys.
const METADATA_AGE: Duration = Duration::from_secs(60 * 60);
/// The first and the longest pause between attempts while a provider cannot be reached.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How many key ids that turned out not to exist are remembered, and for how many refetch intervals.
const UNKNOWN_KEYS: usize = 1024;
const UNKNOWN_KEY_INTERVALS: u32 = 6;

/// How a provider is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderStatus {
    /// Its configured name.
    pub name: Arc<str>,
    /// Its issuer.
    pub issuer: Arc<str>,
    /// Whether its tokens can be checked now, be it with stale keys.
    pub ready: bool,
    /// The number of usable keys.
    pub keys: usize,
    /// How long ago its documents were last fetched with success.
    pub fetched_age: Option<Duration>,
    /// All fetches of its documents, failed ones included.
    pub fetches: u64,
    /// Failed calls of any kind, in all.
    pub failures: u64,
    /// Failed fetches since the last success; above 0 the keys in use may be stale.
    pub consecutive_failures: u32,
    /// What the last failed call said, until a fetch succeeds.
    pub last_error: Option<String>,
}

#[derive(Default)]
struct Health {
    fetched_at: Option<Duration>,
    fetches: u64,
    failures: u64,
    consecutive_failures: u32,
    last_error: Option<String>,
}

/// What only the one who fetches may touch.
#[derive(Default)]
struct FetchState {
    last_attempt: Option<Duration>,
    /// When to fetch next, by the monotonic clock.
    due: Duration,
    metadata_at: Option<Duration>,
}

/// How an attempt to find an unknown key went.
enum Refetch {
    Fetched,
    Failed,
    /// Not attempted: too soon after the last, or the key is known not to exist.
    Withheld,
}

pub(crate) struct Provider {
    config: ProviderConfig,
    name: Arc<str>,
    issuer: Arc<str>,
    base: Url,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    keys: ArcSwap<KeySet>,
    metadata: ArcSwapOption<Metadata>,
    fetching: tokio::sync::Mutex<FetchState>,
    /// Counts finished fetches, so that who waited for one can tell.
    generation: AtomicU64,
    /// Shared by all providers: see [`Providers::epoch`](crate::Providers::epoch).
    epoch: Arc<AtomicU64>,
    unknown_keys: Cache<[u8; 32], Duration>,
    introspector: Introspector,
    health: Mutex<Health>,
}

impl Provider {
    pub(crate) fn new(
        config: ProviderConfig,
        clock: Arc<dyn Clock>,
        epoch: Arc<AtomicU64>,
    ) -> Result<Self, ConfigError> {
        let base = check_config(&config)?;
        let http = HttpClient::new(
            &config.tls,
            config.http_proxy.as_ref(),
            config.timeout,
            MAX_DOCUMENT,
        )
        .map_err(|source| ConfigError::Tls {
            provider: config.name.clone(),
            source,
        })?;
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
        let ready = match self.config.keys {
            KeySource::IntrospectionOnly => self.introspection_endpoint().is_some(),
            KeySource::Discovery | KeySource::JwksUri(_) => keys > 0,
        };
        let health = self.health();
        ProviderStatus {
            name: Arc::clone(&self.name),
            issuer: Arc::clone(&self.issuer),
            ready,
            keys,
            fetched_age: health
                .fetched_at
                .map(|at| self.clock.monotonic().saturating_sub(at)),
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
        jws: Jws<'_>,
    ) -> Result<Identity, TokenError> {
        if self.config.keys == KeySource::IntrospectionOnly {
            return self.introspect(token).await.map(|identity| (*identity).clone());
        }
        if !self.config.algorithms.contains(&jws.algorithm) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        validation::header_type(&self.config, jws.typ.as_deref())?;
        // Claims before the signature: neither a fetch nor a signature check is spent on a token that is refused anyway.
        let now = self.clock.unix();
        let names = (&self.name, &self.issuer);
        let mut identity = validation::claims(
            &self.config,
            names,
            jws.typ.as_deref(),
            jws.claims,
            now,
            Source::Token,
        )?;
        let signed = Signed {
            algorithm: jws.algorithm,
            key_id: jws.key_id.as_deref(),
            message: jws.signing_input,
            signature: &jws.signature,
        };
        self.verify(&signed).await?;

        if self
            .config
            .introspection
            .as_ref()
            .is_some_and(|introspection| introspection.introspect_jwt)
        {
            let active = self.introspect(token).await?;
            identity.fresh_until = identity.fresh_until.min(active.fresh_until);
        }
        Ok(identity)
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
                Err(if certain {
                    TokenError::UnknownKey
                } else {
                    TokenError::ProviderUnavailable
                })
            }
        }
    }

    /// Introspects a token at this provider.
    pub(crate) async fn introspect(&self, token: &BearerToken) -> Result<Arc<Identity>, TokenError> {
        let config = self
            .config
            .introspection
            .as_ref()
            .ok_or(TokenError::OpaqueNotAccepted)?;
        let url = self
            .introspection_endpoint()
            .ok_or(TokenError::ProviderUnavailable)?;
        let now = self.clock.unix();
        let check = |claims, source| {
            validation::claims(
                &self.config,
                (&self.name, &self.issuer),
                None,
                claims,
                now,
                source,
            )
        };
        let report = |result: Result<(), &FetchError>| {
            if let Err(error) = result {
                tracing::warn!(provider = %self.name, %error, "introspection failed");
                let mut health = self.health();
                health.failures += 1;
                health.last_error = Some(error.to_string());
            }
        };
        let endpoint = Endpoint {
            http: &self.http,
            url: &url,
            config,
        };
        self.introspector
            .introspect(endpoint, token, now, check, report)
            .await
    }

    fn introspection_endpoint(&self) -> Option<Url> {
        let configured = self.config.introspection.as_ref()?.endpoint.clone();
        configured.or_else(|| self.metadata.load().as_ref()?.introspection_endpoint.clone())
    }

    /// Fetches keys because of a token with an unknown one: once for all who wait, not too often, and not for a key
    /// that did not exist a moment ago.
    async fn refetch(self: &Arc<Self>, key_id: Option<&str>, generation: u64) -> Refetch {
        let now = self.clock.monotonic();
        let memory = self
            .config
            .min_refetch_interval
            .saturating_mul(UNKNOWN_KEY_INTERVALS);
        if self
            .unknown_keys
            .get(&fingerprint(key_id))
            .is_some_and(|since| now < since.saturating_add(memory))
        {
            return Refetch::Withheld;
        }
        let this = Arc::clone(self);
        // In a task of its own, so that a caller who gives up does not take the fetch along.
        let fetch = tokio::spawn(async move {
            let mut state = this.fetching.lock().await;
            if this.generation.load(Ordering::Acquire) != generation {
                return if this.health().consecutive_failures == 0 {
                    Refetch::Fetched
                } else {
                    Refetch::Failed
                };
            }
            let earliest = state
                .last_attempt
                .map(|at| at.saturating_add(this.config.min_refetch_interval));
            if earliest.is_some_and(|earliest| this.clock.monotonic() < earliest) {
                return Refetch::Withheld;
            }
            if this.fetch(&mut state).await {
                Refetch::Fetched
            } else {
                Refetch::Failed
            }
        });
        fetch.await.unwrap_or(Refetch::Failed)
    }

    fn remember_unknown(&self, key_id: Option<&str>) {
        self.unknown_keys
            .insert(fingerprint(key_id), self.clock.monotonic());
    }

    /// Fetches for the first time, unless someone has.
    pub(crate) async fn prefetch(&self) {
        let mut state = self.fetching.lock().await;
        if state.last_attempt.is_none() {
            self.fetch(&mut state).await;
        }
    }

    /// Keeps the documents fresh, for ever.
    pub(crate) async fn keep_fresh(&self) {
        loop {
            let due = self.fetching.lock().await.due;
            let wait = due.saturating_sub(self.clock.monotonic());
            if !wait.is_zero() {
                self.clock.sleep(wait).await;
            }
            let mut state = self.fetching.lock().await;
            // A token with an unknown key may have caused a fetch meanwhile.
            if state.due <= self.clock.monotonic() {
                self.fetch(&mut state).await;
            }
        }
    }

    /// Fetches now, notes the outcome and when to come back. Returns whether it succeeded.
    async fn fetch(&self, state: &mut FetchState) -> bool {
        let started = self.clock.monotonic();
        state.last_attempt = Some(started);
        let result = self.fetch_documents(state, started).await;
        let mut health = self.health();
        health.fetches += 1;
        let pause = match &result {
            Ok(pause) => {
                health.fetched_at = Some(self.clock.monotonic());
                health.consecutive_failures = 0;
                health.last_error = None;
                *pause
            }
            Err(error) => {
                health.failures += 1;
                let doublings = health.consecutive_failures.min(6);
                health.consecutive_failures = health.consecutive_failures.saturating_add(1);
                health.last_error = Some(error.to_string());
                tracing::warn!(
                    provider = %self.name, %error, attempt = health.consecutive_failures,
                    "fetching the documents of the identity provider failed; keys in use stay in use"
                );
                FIRST_RETRY.saturating_mul(1 << doublings).min(LONGEST_RETRY)
            }
        };
        drop(health);
        state.due = self.clock.monotonic().saturating_add(shortened(pause));
        self.generation.fetch_add(1, Ordering::Release);
        result.is_ok()
    }

    /// Returns after what time to fetch again.
    async fn fetch_documents(&self, state: &mut FetchState, now: Duration) -> Result<Duration, FetchError> {
        let jwks_uri = match &self.config.keys {
            KeySource::JwksUri(url) => {
                if self.needs_metadata_for_introspection() {
                    self.refresh_metadata(state, now).await?;
                }
                url.clone()
            }
            KeySource::IntrospectionOnly => {
                if self.needs_metadata_for_introspection() {
                    let metadata = self.refresh_metadata(state, now).await?;
                    metadata.introspection_endpoint.as_ref().ok_or_else(|| FetchError::Document {
                        url: transport::redact_url(&self.base),
                        problem: "names no `introspection_endpoint` in its discovery document; configure the endpoint",
                    })?;
                }
                return Ok(self.config.refresh);
            }
            KeySource::Discovery => {
                let metadata = self.refresh_metadata(state, now).await?;
                metadata.jwks_uri.clone().ok_or_else(|| FetchError::Document {
                    url: transport::redact_url(&self.base),
                    problem: "names no `jwks_uri` in its discovery document; configure it",
                })?
            }
        };
        let response = self
            .http
            .get(&jwks_uri, "application/jwk-set+json, application/json")
            .await?;
        discovery::expect_ok(&response)?;
        let fresh = KeySet::parse(&response.body).ok_or_else(|| FetchError::Document {
            url: response.url().to_owned(),
            problem: "is no JWK Set",
        })?;
        if fresh.len() == 0 {
            tracing::warn!(provider = %self.name, "the identity provider publishes no key that can be used");
        }
        // A well-formed set is believed even if it is empty: keys are withdrawn by leaving them out.
        let old = self.keys.swap(Arc::new(fresh));
        if old.lost_in(&self.keys.load()) {
            self.epoch.fetch_add(1, Ordering::Release);
            tracing::info!(provider = %self.name, "a key was withdrawn or replaced; cached tokens are checked again");
        }
        let longest = self.config.refresh.max(self.config.min_refetch_interval);
        let max_age = max_age(&response.headers).unwrap_or(longest);
        Ok(max_age.clamp(self.config.min_refetch_interval, longest))
    }

    fn needs_metadata_for_introspection(&self) -> bool {
        self.config
            .introspection
            .as_ref()
            .is_some_and(|introspection| introspection.endpoint.is_none())
    }

    async fn refresh_metadata(
        &self,
        state: &mut FetchState,
        now: Duration,
    ) -> Result<Arc<Metadata>, FetchError> {
        let young = state
            .metadata_at
            .is_some_and(|at| now < at.saturating_add(METADATA_AGE));
        if let Some(metadata) = self.metadata.load_full().filter(|_| young) {
            return Ok(metadata);
        }
        let metadata =
            Arc::new(discovery::fetch(&self.http, &self.issuer, &self.base, self.config.allow_http).await?);
        self.metadata.store(Some(Arc::clone(&metadata)));
        state.metadata_at = Some(now);
        Ok(metadata)
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
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

impl Signed<'_> {
    fn verdict(&self, keys: &KeySet) -> Verdict {
        keys.verify(self.algorithm, self.key_id, self.message, self.signature)
    }
}

fn fingerprint(key_id: Option<&str>) -> [u8; 32] {
    let mut bytes = [0; 32];
    // The leading byte tells a missing id from an empty one.
    let text = key_id.map_or_else(Vec::new, |id| [b"k", id.as_bytes()].concat());
    bytes.copy_from_slice(digest(&SHA256, &text).as_ref());
    bytes
}

/// Up to a tenth less, at random, so that replicas started together do not call together.
fn shortened(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness the pause is just not spread.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    pause - pause / 2560 * u32::from(byte[0])
}

/// `max-age` of `Cache-Control`, unless caching is forbidden altogether.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers
        .get_all(header::CACHE_CONTROL)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

/// Checks what a file format cannot; returns the issuer as a URL.
fn check_config(config: &ProviderConfig) -> Result<Url, ConfigError> {
    let wrong = |problem| ConfigError::Provider {
        provider: config.name.clone(),
        problem,
    };
    let base: Url = config.issuer.parse().map_err(|_| wrong("`issuer` is no URL"))?;
    if base.query().is_some() || base.fragment().is_some() || !base.username().is_empty() {
        return Err(wrong("`issuer` must have no query, fragment or credentials"));
    }
    if config.audiences.is_empty() || config.audiences.iter().any(String::is_empty) {
        return Err(wrong("`audiences` must name at least one audience, none empty"));
    }
    if config.algorithms.is_empty() {
        return Err(wrong("`algorithms` must name at least one algorithm"));
    }
    if config.token_types.is_empty() && !config.allow_missing_type {
        return Err(wrong("`token_types` must name at least one type"));
    }
    if config.keys == KeySource::IntrospectionOnly && config.introspection.is_none() {
        return Err(wrong("without keys, `introspection` must be configured"));
    }
    let endpoint = config
        .introspection
        .as_ref()
        .and_then(|introspection| introspection.endpoint.as_ref());
    let jwks_uri = match &config.keys {
        KeySource::JwksUri(url) => Some(url),
        KeySource::Discovery | KeySource::IntrospectionOnly => None,
    };
    for url in [Some(&base), jwks_uri, endpoint].into_iter().flatten() {
        if !discovery::is_secure(url, config.allow_http) {
            let url = transport::redact_url(url);
            return Err(ConfigError::Insecure {
                provider: config.name.clone(),
                url,
            });
        }
    }
    Ok(base)
}

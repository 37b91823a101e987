//! Keeping a provider's documents fresh: on schedule, and when a token names an unknown key.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, header};

use crate::discovery::{self, Metadata};
use crate::jwk::KeySet;
use crate::provider::Provider;
use crate::{FetchError, KeySource};

/// How long a discovery document is used before it is fetched again together with the keys.
const METADATA_AGE: Duration = Duration::from_hours(1);
/// Whatever configuration and provider say, documents are not fetched more often on schedule.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);
/// The first and the longest pause between attempts while a provider cannot be reached.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// For how many refetch intervals a key id that turned out not to exist is remembered.
const UNKNOWN_KEY_INTERVALS: u32 = 6;

/// What only the one who fetches may touch.
#[derive(Default)]
pub(crate) struct FetchState {
    last_attempt: Option<Duration>,
    /// When to fetch next, by the monotonic clock.
    due: Duration,
    metadata_at: Option<Duration>,
}

/// How an attempt to find an unknown key went.
pub(crate) enum Refetch {
    Fetched,
    Failed,
    /// Not attempted: too soon after the last, or the key is known not to exist.
    Withheld,
}

impl Provider {
    /// Fetches keys because of a token with an unknown one: once for all who wait, not too often, and not for a key
    /// that did not exist a moment ago.
    pub(crate) async fn refetch(self: &Arc<Self>, key_id: Option<&str>, generation: u64) -> Refetch {
        let now = self.clock.monotonic();
        let memory = self.config.min_refetch_interval.saturating_mul(UNKNOWN_KEY_INTERVALS);
        if self.unknown_keys.get(&fingerprint(key_id)).is_some_and(|since| now < since.saturating_add(memory))
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
            let earliest = state.last_attempt.map(|at| at.saturating_add(this.config.min_refetch_interval));
            if earliest.is_some_and(|earliest| this.clock.monotonic() < earliest) {
                return Refetch::Withheld;
            }
            if this.fetch(&mut state).await { Refetch::Fetched } else { Refetch::Failed }
        });
        fetch.await.unwrap_or(Refetch::Failed)
    }

    pub(crate) fn remember_unknown(&self, key_id: Option<&str>) {
        self.unknown_keys.insert(fingerprint(key_id), self.clock.monotonic());
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
                return Ok(self.config.refresh.max(SHORTEST_REFRESH));
            }
            KeySource::Discovery => {
                let metadata = self.refresh_metadata(state, now).await?;
                metadata.jwks_uri.clone().ok_or_else(|| FetchError::Document {
                    url: transport::redact_url(&self.base),
                    problem: "names no `jwks_uri` in its discovery document; configure it",
                })?
            }
        };
        let response = self.http.get(&jwks_uri, "application/jwk-set+json, application/json").await?;
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
        let shortest = self.config.min_refetch_interval.max(SHORTEST_REFRESH);
        let longest = self.config.refresh.max(shortest);
        Ok(max_age(&response.headers).unwrap_or(longest).clamp(shortest, longest))
    }

    fn needs_metadata_for_introspection(&self) -> bool {
        self.config.introspection.as_ref().is_some_and(|introspection| introspection.endpoint.is_none())
    }

    async fn refresh_metadata(
        &self,
        state: &mut FetchState,
        now: Duration,
    ) -> Result<Arc<Metadata>, FetchError> {
        let young = state.metadata_at.is_some_and(|at| now < at.saturating_add(METADATA_AGE));
        if let Some(metadata) = self.metadata.load_full().filter(|_| young) {
            return Ok(metadata);
        }
        let metadata =
            Arc::new(discovery::fetch(&self.http, &self.issuer, &self.base, self.config.allow_http).await?);
        self.metadata.store(Some(Arc::clone(&metadata)));
        state.metadata_at = Some(now);
        Ok(metadata)
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
    pause.saturating_sub(pause / 2560 * u32::from(byte[0]))
}

/// `max-age` of `Cache-Control`, unless caching is forbidden altogether.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(header::CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}

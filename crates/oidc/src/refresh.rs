//! Keeping a provider's keys fresh: on schedule, and when a token names an unknown key.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, header};

use crate::discovery;
use crate::jwk::KeySet;
use crate::provider::Provider;
use crate::{FetchError, KeySource, ProviderConfig};

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

    /// Keeps the keys fresh, for ever.
    pub(crate) async fn keep_keys_fresh(&self) {
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

    /// Fetches the keys whatever is due, since they moved.
    pub(crate) async fn fetch_moved_keys(&self) {
        self.fetch(&mut *self.fetching.lock().await).await;
    }

    /// Fetches now, notes the outcome and when to come back. Returns whether it succeeded.
    async fn fetch(&self, state: &mut FetchState) -> bool {
        let started = self.clock.monotonic();
        state.last_attempt = Some(started);
        let result = self.fetch_documents().await;
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
                let pause = retry_pause(health.consecutive_failures);
                health.consecutive_failures = health.consecutive_failures.saturating_add(1);
                health.last_error = Some(error.to_string());
                let consequence = match self.keys_last(health.fetched_at) {
                    Some(_) => "keys in use stay in use",
                    None => "the keys are too old now, and its tokens are refused",
                };
                tracing::warn!(
                    provider = %self.name, %error, attempt = health.consecutive_failures,
                    "fetching the documents of the identity provider failed; {consequence}"
                );
                pause
            }
        };
        drop(health);
        state.due = self.clock.monotonic().saturating_add(shortened(pause));
        self.generation.fetch_add(1, Ordering::Release);
        result.is_ok()
    }

    /// Returns after what time to fetch again. A discovery document that is known already is not asked for: that it
    /// cannot be had must not keep keys from being fetched.
    async fn fetch_documents(&self) -> Result<Duration, FetchError> {
        let jwks_uri = match &self.config.keys {
            KeySource::JwksUri(url) => {
                if self.introspection_needs_metadata()
                    && let Err(error) = self.known_metadata().await
                {
                    self.discovery_failed(&error);
                }
                url.clone()
            }
            KeySource::IntrospectionOnly => {
                if self.introspection_needs_metadata() {
                    self.known_metadata().await?;
                }
                return Ok(self.config.refresh.max(SHORTEST_REFRESH));
            }
            KeySource::Discovery => self.known_metadata().await?.jwks_uri(&self.base)?.clone(),
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
        let longest = longest_pause(&self.config);
        Ok(max_age(&response.headers).unwrap_or(longest).clamp(shortest, longest))
    }

    /// For how much longer keys fetched at `fetched_at` may be used; `None` if no longer. Where no keys were fetched yet
    /// there is nothing to age.
    pub(crate) fn keys_last(&self, fetched_at: Option<Duration>) -> Option<Duration> {
        let Some(fetched_at) = fetched_at else {
            return Some(self.config.max_stale);
        };
        let end = fetched_at.saturating_add(self.config.max_stale);
        end.checked_sub(self.clock.monotonic()).filter(|left| !left.is_zero())
    }
}

/// The longest time between two fetches of a provider that answers.
pub(crate) fn longest_pause(config: &ProviderConfig) -> Duration {
    config.refresh.max(config.min_refetch_interval).max(SHORTEST_REFRESH)
}

/// The pause after a failure that so many others precede.
pub(crate) fn retry_pause(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.min(6)).min(LONGEST_RETRY)
}

fn fingerprint(key_id: Option<&str>) -> [u8; 32] {
    let mut bytes = [0; 32];
    // The leading byte tells a missing id from an empty one.
    let text = key_id.map_or_else(Vec::new, |id| [b"k", id.as_bytes()].concat());
    bytes.copy_from_slice(digest(&SHA256, &text).as_ref());
    bytes
}

/// Up to a tenth less, at random, so that replicas started together do not call together.
pub(crate) fn shortened(pause: Duration) -> Duration {
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

//! A cache of what verified tokens mean.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::TokenHash;
use crate::validity::Validity;

/// What verified tokens mean, by the hash of the whole token: bounded, and void at expiry, when a key was withdrawn, or when the clock
/// was set back to before it was verified.
///
/// To be safe against a key withdrawn during verification, read [`Providers::epoch`](crate::Providers::epoch) *before*
/// verifying and insert with that value.
#[derive(Debug)]
pub struct TokenCache<T> {
    entries: Cache<TokenHash, Entry<T>>,
    max_age: u64,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    validity: Validity,
    epoch: u64,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), ..*self }
    }
}

impl<T> TokenCache<T> {
    /// A cache of at most `capacity` tokens, each for at most `max_age`.
    pub fn new(capacity: usize, max_age: Duration) -> Self {
        Self {
            entries: Cache::new(capacity),
            max_age: max_age.as_secs(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// What the token means, if that is known, the token has not expired at `now` (seconds since 1970), which is not before
    /// it was verified, and no key was withdrawn since.
    pub fn get(&self, token: &TokenHash, now: u64, epoch: u64) -> Option<Arc<T>> {
        let entry = self.entries.get(token);
        let stale = match entry {
            Some(entry) if entry.epoch == epoch && entry.validity.holds(now) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Some(entry.value);
            }
            entry => entry.is_some(),
        };
        if stale {
            self.entries.remove(token);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Remembers what the token means until `expires_at` at most
    /// (see [`Identity::fresh_until`](crate::Identity::fresh_until)).
    pub fn insert(&self, token: TokenHash, value: Arc<T>, expires_at: u64, now: u64, epoch: u64) {
        if let Some(validity) = Validity::new(now, expires_at.min(now.saturating_add(self.max_age))) {
            self.entries.insert(token, Entry { value, validity, epoch });
        }
    }

    /// Forgets one token, for revocation.
    pub fn remove(&self, token: &TokenHash) {
        self.entries.remove(token);
    }

    /// Forgets all tokens.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// How many tokens are held, expired ones included until they are asked for or crowded out.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How often [`get`](Self::get) found something.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How often [`get`](Self::get) found nothing.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BearerToken;
    use proptest::prelude::*;

    fn hash(text: &str) -> TokenHash {
        BearerToken::new(text.as_bytes(), 100).unwrap().hash()
    }

    #[test]
    fn an_entry_ends_with_the_token_the_age_or_the_epoch() {
        let cache = TokenCache::new(10, Duration::from_mins(1));
        cache.insert(hash("a"), Arc::new("a"), 1_030, 1_000, 1);
        cache.insert(hash("b"), Arc::new("b"), 9_999, 1_000, 1);
        assert_eq!(cache.get(&hash("a"), 1_029, 1).as_deref(), Some(&"a"));
        assert!(cache.get(&hash("a"), 1_030, 1).is_none());
        assert!(cache.get(&hash("b"), 1_059, 1).is_some());
        assert!(cache.get(&hash("b"), 1_059, 2).is_none());
        // Found void once, it is gone for good.
        assert!(cache.get(&hash("b"), 1_059, 1).is_none());
        assert_eq!((cache.hits(), cache.misses(), cache.len()), (2, 3, 0));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_an_entry() {
        let cache = TokenCache::new(10, Duration::from_mins(1));
        cache.insert(hash("a"), Arc::new("a"), 9_999, 5_000, 1);
        assert!(cache.get(&hash("a"), 5_030, 1).is_some());
        assert!(cache.get(&hash("a"), 1_000, 1).is_none(), "nobody knows how long ago it was verified");
        assert!(cache.get(&hash("a"), 5_030, 1).is_none(), "it is verified again");
    }

    #[test]
    fn expired_tokens_are_not_taken_and_removed_ones_are_gone() {
        let cache = TokenCache::new(10, Duration::from_mins(1));
        cache.insert(hash("a"), Arc::new(()), 1_000, 1_000, 1);
        assert!(cache.is_empty());
        for text in ["b", "c"] {
            cache.insert(hash(text), Arc::new(()), u64::MAX, 1_000, 1);
        }
        cache.remove(&hash("b"));
        assert!(cache.get(&hash("b"), 1_000, 1).is_none());
        assert!(cache.get(&hash("c"), 1_000, 1).is_some());
        cache.clear();
        assert!(cache.is_empty());
    }

    proptest! {
        #[test]
        fn the_number_of_entries_is_bounded(tokens in proptest::collection::vec("[a-z]{1,6}", 0..300)) {
            let cache = TokenCache::new(16, Duration::from_mins(1));
            for token in &tokens {
                cache.insert(hash(token), Arc::new(()), 2_000, 1_000, 1);
            }
            prop_assert!(cache.len() <= 16);
        }
    }
}

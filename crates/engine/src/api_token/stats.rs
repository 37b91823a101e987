//! Figures.

use std::sync::atomic::{AtomicU64, Ordering};

use super::ApiTokenError;

/// What the metrics tell of the tokens of one cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApiTokenStats {
    /// Tokens held.
    pub held: usize,
    /// Whether the engine makes tokens, as far as is known.
    pub usable: bool,
    /// Entries that the engine remembers of everybody, when it was last asked; all count towards its maximum.
    pub places: u64,
    /// Tokens made since start.
    pub made: u64,
    /// Tokens revoked since start.
    pub revoked: u64,
    /// Places freed since start.
    pub deleted: u64,
    /// Tokens that the engine did not make.
    pub failures: u64,
    /// How often the engine had forgotten its tokens and was made to load them anew.
    pub heals: u64,
    fallbacks: [u64; REASONS.len()],
}

/// What [`ApiTokenError::reason`] can be.
const REASONS: [&str; 3] = ["api_token_cannot_express", "api_tokens_exhausted", "api_token_unavailable"];

impl ApiTokenStats {
    /// Requests under the fallback, by the reason code of what they would have been refused for.
    pub fn fallbacks(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(self.fallbacks)
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    places: AtomicU64,
    made: AtomicU64,
    revoked: AtomicU64,
    deleted: AtomicU64,
    failures: AtomicU64,
    heals: AtomicU64,
    fallbacks: [AtomicU64; REASONS.len()],
}

impl Counters {
    pub(super) fn made(&self) {
        add(&self.made);
    }

    pub(super) fn revoked(&self) {
        add(&self.revoked);
    }

    pub(super) fn deleted(&self) {
        add(&self.deleted);
    }

    pub(super) fn healed(&self) {
        add(&self.heals);
    }

    pub(super) fn failed(&self) {
        add(&self.failures);
    }

    pub(super) fn listed(&self, entries: usize) {
        self.places.store(entries as u64, Ordering::Relaxed);
    }

    pub(super) fn fell_back(&self, error: &ApiTokenError) {
        let counters = REASONS.iter().zip(&self.fallbacks);
        counters.filter(|(reason, _)| **reason == error.reason()).for_each(|(_, counter)| add(counter));
    }

    pub(super) fn read(&self, held: usize, usable: bool) -> ApiTokenStats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ApiTokenStats {
            held,
            usable,
            places: of(&self.places),
            made: of(&self.made),
            revoked: of(&self.revoked),
            deleted: of(&self.deleted),
            failures: of(&self.failures),
            heals: of(&self.heals),
            fallbacks: self.fallbacks.each_ref().map(of),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

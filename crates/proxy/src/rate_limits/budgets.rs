//! The budgets of one rule: one for each identity that it tells apart, in bounded memory.
//!
//! An attacker with a million identities must neither fill the memory nor push the budgets of others out of it, since a budget
//! that is forgotten while something is spent of it is a budget given anew. So none is: only budgets that are whole again leave.
//! When there is no room for another, identities without a budget share one, which is spent as if they were one identity, until
//! others leave.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Parts with a lock each, so that requests of different identities seldom meet.
const SHARDS: usize = 64;
/// Budgets of a part. In all, some 130,000 identities of which something is spent, in about 4 MiB.
const SHARD_CAPACITY: usize = 2048;

#[derive(Debug)]
pub(super) struct Budgets {
    begun: Instant,
    /// Keyed anew in each process, so that nobody can look for identities that fall together.
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    crowded: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    /// By the hash of the identity: when its budget is whole.
    whole_at: HashMap<u64, u64>,
    /// The same of the budget that those without room share.
    shared: u64,
    /// None of them is whole before; to look for those that are would be in vain.
    next_whole: u64,
}

/// The budget of one identity, held until it is dropped.
#[derive(Debug)]
pub(super) struct Budget<'b> {
    shard: MutexGuard<'b, Shard>,
    crowded: &'b AtomicU64,
    identity: u64,
    now: u64,
}

impl Budgets {
    pub(super) fn new(begun: Instant) -> Self {
        Self {
            begun,
            hasher: RandomState::new(),
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            crowded: AtomicU64::new(0),
        }
    }

    /// The budget of `identity`.
    pub(super) fn hold(&self, identity: impl Hash, now: Instant) -> Budget<'_> {
        let identity = self.hasher.hash_one(identity);
        let shard = &self.shards[usize::try_from(identity % SHARDS as u64).unwrap_or_default()];
        let now = now.saturating_duration_since(self.begun).as_nanos();
        Budget {
            shard: shard.lock().unwrap_or_else(PoisonError::into_inner),
            crowded: &self.crowded,
            identity,
            now: u64::try_from(now).unwrap_or(u64::MAX),
        }
    }

    /// How many identities have a budget of which something was spent, not counting what came back since.
    pub(super) fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).whole_at.len();
        self.shards.iter().map(len).sum()
    }

    /// How often something was spent of a budget that identities without room share.
    pub(super) fn crowded(&self) -> u64 {
        self.crowded.load(Ordering::Relaxed)
    }
}

impl Budget<'_> {
    /// Nanoseconds since the budgets began.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// When the budget is whole. A newcomer's is no better than the shared one, so that nobody gains by having shared.
    pub(super) fn whole_at(&self) -> u64 {
        self.shard.whole_at.get(&self.identity).copied().unwrap_or(self.shard.shared)
    }

    /// Something was spent or given back.
    pub(super) fn set(&mut self, whole_at: u64) {
        let Self { shard, crowded, identity, now } = self;
        if let Some(known) = shard.whole_at.get_mut(identity) {
            *known = whole_at;
            return;
        }
        if shard.whole_at.len() >= SHARD_CAPACITY && shard.next_whole <= *now {
            shard.whole_at.retain(|_, whole_at| *whole_at > *now);
            shard.next_whole = shard.whole_at.values().copied().min().unwrap_or_default();
        }
        if shard.whole_at.len() < SHARD_CAPACITY {
            shard.whole_at.insert(*identity, whole_at);
            shard.next_whole = shard.next_whole.min(whole_at);
        } else {
            shard.shared = whole_at;
            crowded.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Budgets, SHARD_CAPACITY, SHARDS};
    use crate::rate_limits::quota::Quota;

    fn spend(budgets: &Budgets, quota: Quota, identity: impl std::hash::Hash, now: Instant) -> bool {
        let mut budget = budgets.hold(identity, now);
        match quota.spend(budget.whole_at(), budget.now(), 1) {
            Ok(after) => {
                budget.set(after);
                true
            }
            Err(_) => false,
        }
    }

    #[test]
    fn a_flood_of_identities_neither_fills_memory_nor_gives_a_budget_anew() {
        let begun = Instant::now();
        let (budgets, quota) = (Budgets::new(begun), Quota::share(2, Duration::from_secs(60), 2, 1));
        assert!(spend(&budgets, quota, "frugal", begun));
        for _ in 0..2 {
            assert!(spend(&budgets, quota, "spent", begun));
        }
        let mut let_through = 0;
        for other in 0..400_000_u32 {
            let_through += u32::from(spend(&budgets, quota, other, begun));
        }
        let room = SHARDS * SHARD_CAPACITY;
        assert_eq!(budgets.len(), room);
        assert_eq!(
            let_through as usize,
            room - 2 + 2 * SHARDS,
            "those without room share two requests a part"
        );
        assert_eq!(budgets.crowded(), 2 * SHARDS as u64);
        assert!(!spend(&budgets, quota, "spent", begun), "its budget is still spent");
        assert!(spend(&budgets, quota, "frugal", begun), "and this one still has its own");
        assert!(!spend(&budgets, quota, "newcomer", begun));

        // Half a minute later one request each has come back, so that those who asked once leave as others come.
        let later = begun + Duration::from_secs(30);
        assert!(spend(&budgets, quota, "newcomer", later));
        assert!(!spend(&budgets, quota, "newcomer", later), "what it shared in counts");
        assert!(spend(&budgets, quota, "spent", later));
        assert!(!spend(&budgets, quota, "spent", later));
        assert!(budgets.len() < room);
    }
}

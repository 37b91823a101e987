//! The generic cell rate algorithm (ITU-T I.371, annex A): a budget that is spent at once and gained back evenly, in one number.
//!
//! That number is the moment at which the budget is whole again. One that has passed says the same as none at all, so that whoever
//! has not asked for a while can be forgotten without being given anything.

use std::time::Duration;

/// How much may be spent, and how fast it comes back. Moments are nanoseconds since some beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Quota {
    /// Nanoseconds in which one unit comes back.
    interval: u64,
    burst: u32,
}

/// What is left of a budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Left {
    /// Whole units.
    pub(super) units: u64,
    /// How long until there is one more.
    pub(super) next: Duration,
}

impl Quota {
    /// One of `replicas` equal shares of `units` each `every`, with `burst` at once. None of them is zero; a share has one at least.
    pub(super) fn share(units: u32, every: Duration, burst: u32, replicas: u32) -> Self {
        let interval = every.as_nanos() * u128::from(replicas) / u128::from(units.max(1));
        let interval = u64::try_from(interval).unwrap_or(u64::MAX).max(1);
        Self { interval, burst: (burst / replicas.max(1)).max(1) }
    }

    /// How much may be spent at once.
    pub(super) fn burst(self) -> u32 {
        self.burst
    }

    /// How long a budget that is spent takes to be whole again.
    pub(super) fn window(self) -> Duration {
        Duration::from_nanos(self.depth())
    }

    fn depth(self) -> u64 {
        self.interval.saturating_mul(u64::from(self.burst))
    }

    /// Spends `weight` units of a budget that is whole at `whole_at`: gives when it is then, or else how long to wait.
    pub(super) fn spend(self, whole_at: u64, now: u64, weight: u32) -> Result<u64, Duration> {
        let cost = self.interval.saturating_mul(u64::from(weight));
        let after = whole_at.max(now).saturating_add(cost);
        match after.checked_sub(now.saturating_add(self.depth())) {
            None | Some(0) => Ok(after),
            Some(wait) => Err(Duration::from_nanos(wait)),
        }
    }

    /// What is left of a budget that is whole at `whole_at`.
    pub(super) fn left(self, whole_at: u64, now: u64) -> Left {
        let free = self.depth().saturating_sub(whole_at.saturating_sub(now));
        let next = self.interval - free % self.interval;
        Left { units: free / self.interval, next: Duration::from_nanos(next) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Left, Quota};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_one_by_one() {
        let quota = Quota::share(2, Duration::from_secs(1), 3, 1);
        let mut whole_at = 0;
        for units in [2, 1, 0] {
            whole_at = quota.spend(whole_at, SECOND, 1).expect("within the burst");
            assert_eq!(quota.left(whole_at, SECOND), Left { units, next: Duration::from_millis(500) });
        }
        assert_eq!(quota.spend(whole_at, SECOND, 1), Err(Duration::from_millis(500)));
        assert_eq!(quota.spend(whole_at, SECOND, 2), Err(Duration::from_secs(1)));
        let later = SECOND + SECOND / 2;
        assert_eq!(quota.spend(whole_at, later - 1, 1), Err(Duration::from_nanos(1)));
        assert!(quota.spend(whole_at, later, 1).is_ok());
        assert_eq!(quota.window(), Duration::from_millis(1500));
    }

    #[test]
    fn replicas_have_equal_shares() {
        let whole = Quota::share(100, Duration::from_secs(1), 200, 1);
        let share = Quota::share(100, Duration::from_secs(1), 200, 4);
        assert_eq!((whole.burst(), share.burst()), (200, 50));
        assert_eq!(whole.window(), share.window());
    }

    #[test]
    fn numbers_beyond_all_reason_do_no_harm() {
        let quota = Quota::share(1, Duration::MAX, u32::MAX, u32::MAX);
        assert_eq!(quota.burst(), 1);
        assert!(quota.spend(0, 0, 1).is_ok());
        let left = quota.left(u64::MAX, 0);
        assert_eq!(left.units, 0);
    }

    proptest! {
        /// In any stretch of time no more is let through than the burst and what came back meanwhile, and a caller who keeps to the
        /// waits that it is told is always let through.
        #[test]
        fn never_more_than_allowed(
            units in 1_u32..50,
            // More than the greatest weight: what costs more than a budget is never let through.
            burst in 3_u32..50,
            steps in proptest::collection::vec((0_u64..SECOND / 4, 1_u32..4), 1..200),
        ) {
            let quota = Quota::share(units, Duration::from_secs(1), burst, 1);
            let (mut now, mut whole_at) = (SECOND, 0);
            let mut spent: Vec<(u64, u32)> = Vec::new();
            for (pause, weight) in steps {
                now += pause;
                match quota.spend(whole_at, now, weight) {
                    Ok(after) => {
                        whole_at = after;
                        spent.push((now, weight));
                    }
                    Err(wait) => {
                        let wait = u64::try_from(wait.as_nanos()).expect("a short wait");
                        prop_assert_eq!(quota.spend(whole_at, now + wait, weight).is_ok(), true);
                        prop_assert!(quota.spend(whole_at, now + wait - 1, weight).is_err());
                    }
                }
            }
            for (index, (from, _)) in spent.iter().enumerate() {
                let mut sum = 0;
                for (at, weight) in &spent[index..] {
                    sum += u64::from(*weight);
                    let back = (at - from) / quota.interval;
                    prop_assert!(sum <= u64::from(burst) + back + 1);
                }
            }
        }
    }
}

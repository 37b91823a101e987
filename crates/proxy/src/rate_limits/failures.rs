//! How many tokens of one address may be refused before others are no longer verified.
//!
//! To verify a token costs a signature check or a question to the provider, which whoever has no valid token could ask for without
//! end. Callers whose tokens are known already are not held up: they may come from the same address.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use config::model;

use super::{budgets::Budgets, quota::Quota};

/// What the addresses have spent.
#[derive(Debug)]
pub struct Failures {
    settings: model::FailedAuthentications,
    quota: Quota,
    budgets: Arc<Budgets>,
}

impl Failures {
    pub(super) fn new(
        settings: &model::FailedAuthentications,
        replicas: u32,
        previous: Option<&Self>,
    ) -> Self {
        let quota = Quota::share(settings.failures, settings.every.get(), settings.burst(), replicas);
        let kept = previous.filter(|previous| previous.settings == *settings && previous.quota == quota);
        let budgets =
            kept.map_or_else(|| Arc::new(Budgets::new(Instant::now())), |kept| Arc::clone(&kept.budgets));
        Self { settings: settings.clone(), quota, budgets }
    }

    /// Whether another token from there may be verified; else how long to wait. Requests that are being verified do not count
    /// yet, so that as many more may fail as are under way at once.
    pub fn permit(&self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let budget = self.budgets.hold(network(source), now);
        self.quota.spend(budget.whole_at(), budget.now(), 1).map(drop)
    }

    /// A token from there was refused.
    pub fn count(&self, source: IpAddr, now: Instant) {
        let mut budget = self.budgets.hold(network(source), now);
        // Of a budget that is spent already no more is taken, or a flood would shut an address out for long.
        if let Ok(after) = self.quota.spend(budget.whole_at(), budget.now(), 1) {
            budget.set(after);
        }
    }
}

/// Whoever has an address of version 6 has 2^64 of them (RFC 4291 section 2.5.1). One of version 4 is the same in either notation.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use config::model::FailedAuthentications;

    use super::Failures;

    #[test]
    fn an_address_is_held_up_for_its_own_failures() {
        let settings =
            FailedAuthentications { failures: 1, every: Duration::from_secs(10).into(), burst: Some(2) };
        let failures = Failures::new(&settings, 1, None);
        let now = Instant::now() + Duration::from_secs(1);
        let source = |text: &str| text.parse().expect("an address");
        for _ in 0..100 {
            failures.count(source("192.0.2.1"), now);
            failures.count(source("2001:db8::1"), now);
        }
        for (address, held_up) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.2", false),
            ("2001:db8::ffff:1:2", true),
            ("2001:db8:0:1::1", false),
        ] {
            let wait = held_up.then_some(Duration::from_secs(10));
            assert_eq!(failures.permit(source(address), now).err(), wait, "{address}");
        }
        let later = now + Duration::from_secs(10);
        assert!(failures.permit(source("192.0.2.1"), later).is_ok(), "a flood does not prolong it");
        let kept = Failures::new(&settings, 1, Some(&failures));
        assert!(kept.permit(source("192.0.2.1"), now).is_err(), "nor does a reload end it");
        let other = FailedAuthentications { failures: 2, ..settings };
        assert!(Failures::new(&other, 1, Some(&failures)).permit(source("192.0.2.1"), now).is_ok());
    }
}

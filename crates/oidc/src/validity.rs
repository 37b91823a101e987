//! Until when something that was found out is believed, by a clock that may be set.

/// The readers of a clock that was read by somebody else a moment ago see it stand this much earlier at most, in seconds.
const SLACK: u64 = 1;

/// For which seconds since 1970 something is believed.
///
/// It begins when it was found out. A clock that stands before then was set back, and does not tell how long ago that is: what a
/// provider said for half a minute would be believed for hours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    from: u64,
    until: u64,
}

impl Validity {
    /// From `now` until just before `until`; `None` if there is no time in between.
    pub(crate) fn new(now: u64, until: u64) -> Option<Self> {
        (now < until).then_some(Self { from: now.saturating_sub(SLACK), until })
    }

    pub(crate) fn holds(self, now: u64) -> bool {
        (self.from..self.until).contains(&now)
    }
}

#[cfg(test)]
mod tests {
    use super::Validity;

    #[test]
    fn neither_later_nor_by_a_clock_that_was_set_back() {
        let validity = Validity::new(1_000, 1_030).unwrap();
        for (now, holds) in
            [(0, false), (998, false), (999, true), (1_000, true), (1_029, true), (1_030, false)]
        {
            assert_eq!(validity.holds(now), holds, "{now}");
        }
        assert!(Validity::new(1_000, 1_000).is_none());
        assert!(Validity::new(u64::MAX, u64::MAX).is_none(), "a clock before 1970");
    }
}

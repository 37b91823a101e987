//! Time as an input, so that nothing waits for a real clock to show what expiry does.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

/// A future that ends when the clock has moved far enough.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Seconds since 1970 (the `NumericDate` of RFC 7519), as the wall clock says.
    fn unix(&self) -> u64;
    /// Time since some fixed moment; never goes back. For intervals.
    fn monotonic(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// The clock, its monotonic time counted from now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn unix(&self) -> u64 {
        // A clock before 1970 reads as the end of time: every token is then expired rather than good for ever.
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that moves only when told, for tests.
#[derive(Debug)]
pub struct ManualClock {
    start: AtomicU64,
    elapsed: watch::Sender<Duration>,
}

impl ManualClock {
    /// A clock that stands at `unix` seconds.
    pub fn at(unix: u64) -> Self {
        Self { start: AtomicU64::new(unix), elapsed: watch::Sender::new(Duration::ZERO) }
    }

    /// Moves the clock forward and wakes who waited for that.
    pub fn advance(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Sets the wall clock by so many seconds, as an administrator does: no time passes.
    pub fn set_by(&self, seconds: i64) {
        let start = self.start.load(Ordering::Acquire).saturating_add_signed(seconds);
        self.start.store(start, Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn unix(&self) -> u64 {
        self.start.load(Ordering::Acquire) + self.elapsed.borrow().as_secs()
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let until = self.monotonic() + duration;
        let mut elapsed = self.elapsed.subscribe();
        Box::pin(async move {
            if elapsed.wait_for(|&now| now >= until).await.is_err() {
                // The clock is gone: no moment after this one will come.
                std::future::pending::<()>().await;
            }
        })
    }
}

//! A clock that a test sets.

use std::sync::atomic::{AtomicI64, Ordering};

use runtime::Clock;

/// Time stands still until the test moves it.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock at this Unix time in seconds.
    pub fn at(unix: i64) -> Self {
        Self(AtomicI64::new(unix * 1000))
    }

    /// A clock at the machine's time, where tokens and certificates of now are valid.
    pub fn now() -> Self {
        Self(AtomicI64::new(runtime::SystemClock.unix_millis()))
    }

    /// Moves it on (or back).
    pub fn advance(&self, seconds: i64) {
        self.advance_millis(seconds * 1000);
    }

    /// Moves it on (or back).
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn unix_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

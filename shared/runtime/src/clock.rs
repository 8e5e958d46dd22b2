//! Time as a parameter: everything that needs "now" is handed a [`Clock`], so that tests decide what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn unix_millis(&self) -> i64;

    /// Seconds since 1970-01-01T00:00:00Z.
    fn unix(&self) -> i64 {
        self.unix_millis().div_euclid(1000)
    }
}

/// The clock of the machine that this runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    fn unix_millis(&self) -> i64 {
        // A clock that was never set may well show a time before 1970.
        let (since, sign) = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => (since, 1),
            Err(until) => (until.duration(), -1),
        };
        // Default: the end of time, 292 million years from here.
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX) * sign
    }
}

//! How often somebody may try: a state machine fed with time.
//!
//! PSD2 RTS Art. 4(3)(b): at most five failures in a row, then a block; NIST SP 800-63B-4 §3.2.2: at most 100, growing
//! delays. A counter stands for an identifier whether or not anybody has it. A try counts as failed until it has succeeded.
//! An attested device that has logged in as that user has a counter of its own, so a stranger cannot shut the owner out.

/// Failures before the first block.
const FREE: u32 = 5;
const FIRST_BLOCK: i64 = 30;
const LONGEST_BLOCK: i64 = 3600;
/// From here on, one try a day: what "at most 100" means while there is no other way back in.
const LIMIT: u32 = 100;
const DAY: i64 = 86_400;

/// The failures in a row of one identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Throttle {
    pub(super) failures: u32,
    /// No try before this moment.
    pub(super) blocked_until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Seconds to wait.
    pub(crate) seconds: i64,
}

impl Throttle {
    /// Counts a try, or refuses it.
    pub(super) fn attempt(self, now: i64) -> Result<Self, Blocked> {
        if now < self.blocked_until {
            return Err(Blocked { seconds: self.blocked_until.saturating_sub(now) });
        }
        let failures = self.failures.saturating_add(1);
        Ok(Self { failures, blocked_until: now.saturating_add(block(failures)) })
    }

    /// Takes a try back that came to nothing because we were busy. It had passed the block before it, so there is none now.
    pub(super) fn undo_attempt(self, now: i64) -> Self {
        Self { failures: self.failures.saturating_sub(1), blocked_until: now }
    }
}

/// Seconds to wait after so many failures in a row.
fn block(failures: u32) -> i64 {
    match failures {
        0..FREE => 0,
        LIMIT.. => DAY,
        _ => FIRST_BLOCK.saturating_mul(1 << (failures - FREE).min(16)).min(LONGEST_BLOCK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn five_tries_are_free_and_the_sixth_waits() {
        let mut throttle = Throttle::default();
        for _ in 0..5 {
            throttle = throttle.attempt(NOW).unwrap();
        }
        assert_eq!(throttle.attempt(NOW), Err(Blocked { seconds: 30 }));
        assert_eq!(throttle.attempt(NOW + 29), Err(Blocked { seconds: 1 }));
        assert!(throttle.attempt(NOW + 30).is_ok());
    }

    #[test]
    fn a_try_that_is_taken_back_does_not_count() {
        let four = Throttle { failures: 4, blocked_until: NOW };
        assert_eq!(four.attempt(NOW).unwrap().undo_attempt(NOW), four);
        assert_eq!(Throttle::default().undo_attempt(NOW).failures, 0);
        let eight = Throttle { failures: 8, blocked_until: NOW };
        let busy = eight.attempt(NOW).unwrap().undo_attempt(NOW + 1);
        assert_eq!(busy.failures, 8);
        assert_eq!(busy.attempt(NOW + 1).unwrap(), Throttle { failures: 9, blocked_until: NOW + 1 + 480 });
    }

    #[test]
    fn blocks_double_up_to_an_hour_and_end_at_a_try_a_day() {
        let blocks: Vec<i64> = (4..=14).map(block).collect();
        assert_eq!(blocks, [0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!((block(99), block(100), block(u32::MAX)), (3600, DAY, DAY));
    }

    #[test]
    fn a_year_of_trying_is_not_many_passwords() {
        let (mut throttle, mut now, mut tries) = (Throttle::default(), NOW, 0);
        while now < NOW + 365 * DAY {
            match throttle.attempt(now) {
                Ok(next) => (throttle, tries) = (next, tries + 1),
                Err(blocked) => now += blocked.seconds,
            }
        }
        assert!(tries < 470, "{tries}");
    }
}

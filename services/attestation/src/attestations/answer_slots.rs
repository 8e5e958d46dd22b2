//! Answers to evidence leave at the end of a time slot, so that how long the work took does not tell what it found.
//!
//! Genuine evidence and a lie cost nearly the same work anyway (the same statements, one signature of the phone, the same tokens). What is left,
//! such as a chain that ends at its first certificate, disappears in the slot, unless the work fills it; then the answer leaves with the next one.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The slots, by how long one is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerSlots(Duration);

impl AnswerSlots {
    /// Of so many milliseconds.
    pub(crate) fn new(milliseconds: u32) -> Self {
        Self(Duration::from_millis(u64::from(milliseconds.max(1))))
    }

    /// Does the work, and returns at the end of the slot in which it was done.
    pub(crate) async fn pad<T>(self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = work.await;
        sleep_until(started + self.end(started.elapsed())).await;
        done
    }

    /// The end of the slot that this moment lies in. Whole milliseconds, as the timer counts.
    fn end(self, elapsed: Duration) -> Duration {
        let (elapsed, slot) = (elapsed.as_millis(), self.0.as_millis().max(1));
        // Default: a wait that no clock counts to; no request lives so long.
        Duration::from_millis(u64::try_from((elapsed / slot + 1) * slot).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_at_the_end_of_a_slot() {
        let slots = AnswerSlots::new(50);
        for (elapsed, end) in [(0, 50), (1, 50), (49, 50), (50, 100), (99, 100), (100, 150)] {
            assert_eq!(slots.end(Duration::from_millis(elapsed)), Duration::from_millis(end), "{elapsed}");
        }
        assert_eq!(slots.end(Duration::from_micros(49_999)), Duration::from_millis(50));
    }

    #[tokio::test]
    async fn nothing_leaves_before_its_slot_has_ended() {
        for work in [0, 7] {
            let started = Instant::now();
            AnswerSlots::new(30).pad(tokio::time::sleep(Duration::from_millis(work))).await;
            assert!(started.elapsed() >= Duration::from_millis(30), "{work}");
        }
    }
}

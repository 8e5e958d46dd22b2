//! Whether the behavior analytics are asked at all: not by a payment, while they have failed again and again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many calls in a row that were of no use to who waited, and nobody waits any more.
pub(super) const FAILURES: u32 = 5;
/// Then one question goes out in this time, for which nobody waits.
const PAUSE: Duration = Duration::from_secs(1);

/// What a payment may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Ask, and wait.
    Ask,
    /// Ask, and not wait: to find out whether they are back.
    Probe,
    /// Neither.
    Nothing,
}

/// How the last calls went.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    /// In a row.
    failures: u32,
    probe_at: Option<Instant>,
}

impl Circuit {
    /// What a payment may do now.
    pub(super) fn admits(&self, now: Instant) -> Admission {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match calls.probe_at {
            None => Admission::Ask,
            Some(at) if now >= at => {
                calls.probe_at = Some(now + PAUSE);
                Admission::Probe
            }
            Some(_) => Admission::Nothing,
        }
    }

    /// How a call went.
    pub(super) fn record(&self, was_of_use: bool, now: Instant) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if was_of_use {
            if calls.probe_at.is_some() {
                tracing::info!("the behavior analytics are back");
            }
            *calls = Calls::default();
            return;
        }
        // Default: more than are counted are as many as count.
        calls.failures = calls.failures.saturating_add(1);
        if calls.failures == FAILURES {
            tracing::error!("the behavior analytics are away; no payment waits for them");
            calls.probe_at = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_five_failures_in_a_row_nobody_waits_and_one_in_a_second_asks_until_a_call_is_of_use() {
        let (circuit, now) = (Circuit::default(), Instant::now());
        for was_of_use in [false, false, false, false, true, false, false, false, false] {
            circuit.record(was_of_use, now);
            assert_eq!(circuit.admits(now), Admission::Ask);
        }
        circuit.record(false, now);
        assert_eq!(circuit.admits(now), Admission::Nothing);
        let later = now + PAUSE;
        assert_eq!([circuit.admits(later), circuit.admits(later)], [Admission::Probe, Admission::Nothing]);
        circuit.record(false, later);
        assert_eq!(circuit.admits(later), Admission::Nothing);
        assert_eq!(circuit.admits(later + PAUSE), Admission::Probe);
        circuit.record(true, later + PAUSE);
        assert_eq!(circuit.admits(later + PAUSE), Admission::Ask);
    }
}

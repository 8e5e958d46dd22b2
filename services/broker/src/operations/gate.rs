//! What keeps one provider's trouble from becoming ours: breaker, bulkhead and quota, one gate per provider.
//!
//! The gate is asked before each call and told the outcome after. Time is a parameter, so it is deterministic in tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::providers::manifest::{Breaker, Limits};

/// Who stands before a provider.
pub struct Gate {
    limits: Limits,
    breaker: Breaker,
    slots: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// Closed while `None`. At that time one request may try.
    open_until: Option<i64>,
    buckets: HashMap<String, Bucket>,
}

/// A token bucket in milli-calls, so that refilling needs no fractions.
struct Bucket {
    level: i64,
    at: i64,
}

/// Why a call is not made. Both say when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Closed {
    /// The provider fails; it is left alone for a while.
    #[error("breaker_open")]
    Open {
        /// Seconds.
        retry_after: u32,
    },
    /// All slots for this provider are taken.
    #[error("bulkhead_full")]
    Full,
    /// The caller asked too often.
    #[error("quota_exceeded")]
    Quota {
        /// Seconds.
        retry_after: u32,
    },
}

impl Closed {
    /// Seconds after which it makes sense to ask again.
    pub fn retry_after(self) -> u32 {
        match self {
            Self::Open { retry_after } | Self::Quota { retry_after } => retry_after.max(1),
            Self::Full => 1,
        }
    }
}

/// A slot; it is free again when this is dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// A closed breaker, free slots, full buckets.
    pub fn new(limits: Limits, breaker: Breaker) -> Self {
        let slots = Arc::new(Semaphore::new(limits.concurrency.into()));
        Self { limits, breaker, slots, state: Mutex::default() }
    }

    /// Takes a slot for a call of `caller` at `now` (Unix milliseconds).
    pub fn enter(&self, caller: &str, now: i64) -> Result<Slot, Closed> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Closed::Full)?;
        let mut state = self.lock();
        self.charge(&mut state, caller, now)?;
        if let Some(until) = state.open_until {
            if now < until {
                return Err(Closed::Open { retry_after: seconds(until - now) });
            }
            // Half open: this one tries; the others wait as long as it may take them to know.
            state.open_until = Some(now + i64::from(self.breaker.open_seconds) * 1000);
        }
        Ok(Slot { _permit: permit })
    }

    /// The provider answered as it should.
    pub fn succeeded(&self) {
        let mut state = self.lock();
        state.failures = 0;
        state.open_until = None;
    }

    /// It did not.
    pub fn failed(&self, now: i64) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.breaker.failures {
            state.open_until = Some(now + i64::from(self.breaker.open_seconds) * 1000);
        }
    }

    /// It did something that it must never do: no more calls for a while, whatever the count.
    pub fn trip(&self, now: i64) {
        let mut state = self.lock();
        state.failures = self.breaker.failures;
        state.open_until = Some(now + i64::from(self.breaker.open_seconds) * 1000);
    }

    fn charge(&self, state: &mut State, caller: &str, now: i64) -> Result<(), Closed> {
        let rate = i64::from(self.limits.calls_per_minute);
        let full = rate * 1000;
        // Callers are the workloads in the manifest: few, so the map needs no bound of its own.
        let bucket = state.buckets.entry(caller.to_owned()).or_insert(Bucket { level: full, at: now });
        let elapsed = now.saturating_sub(bucket.at).clamp(0, 60_000);
        bucket.level = (bucket.level + elapsed * rate / 60).min(full);
        bucket.at = now;
        if bucket.level < 1000 {
            let missing = 1000 - bucket.level;
            return Err(Closed::Quota { retry_after: seconds(missing * 60 / rate) });
        }
        bucket.level -= 1000;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(millis: i64) -> u32 {
    u32::try_from((millis + 999) / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(concurrency: u16, calls_per_minute: u32) -> Gate {
        Gate::new(Limits { concurrency, calls_per_minute }, Breaker { failures: 2, open_seconds: 10 })
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_request_may_try_later() {
        let gate = gate(8, 600);
        gate.failed(0);
        gate.succeeded();
        gate.failed(0);
        assert!(gate.enter("ledger", 0).is_ok());
        gate.failed(0);
        assert_eq!(gate.enter("ledger", 1).unwrap_err(), Closed::Open { retry_after: 10 });
        assert!(gate.enter("ledger", 10_000).is_ok(), "half open");
        assert!(gate.enter("ledger", 10_001).is_err(), "one only");
        gate.succeeded();
        assert!(gate.enter("ledger", 10_002).is_ok());
    }

    #[test]
    fn a_trip_opens_it_at_once() {
        let gate = gate(8, 600);
        gate.trip(0);
        assert!(gate.enter("ledger", 0).is_err());
    }

    #[test]
    fn slots_are_bounded_and_come_back() {
        let gate = gate(1, 600);
        let slot = gate.enter("ledger", 0).unwrap();
        assert_eq!(gate.enter("ledger", 0).unwrap_err(), Closed::Full);
        drop(slot);
        assert!(gate.enter("ledger", 0).is_ok());
    }

    #[test]
    fn the_quota_is_each_callers_own_and_refills() {
        let gate = gate(8, 2);
        assert!(gate.enter("ledger", 0).is_ok() && gate.enter("ledger", 0).is_ok());
        assert_eq!(gate.enter("ledger", 0).unwrap_err(), Closed::Quota { retry_after: 30 });
        assert!(gate.enter("operator", 0).is_ok());
        assert!(gate.enter("ledger", 30_000).is_ok());
        assert!(gate.enter("ledger", 30_000).is_err());
    }
}

//! What keeps one provider's trouble from becoming ours: breaker, bulkhead and quota, one gate per provider.
//!
//! The gate is asked before each call and gets the outcome after. Time is a parameter, so it is deterministic in tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::providers::manifest::{Breaker, Limits};

/// Admits calls to one provider, or says when to come back.
pub struct Gate {
    limits: Limits,
    breaker: Breaker,
    slots: Arc<Semaphore>,
    state: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    failures: u32,
    /// Closed while `None`. At that time one request may try.
    open_until: Option<i64>,
    /// It did what it must never do. No success of a call that was under way shortens this.
    tripped_until: i64,
    /// The provider has asked to be left alone until then.
    asked_until: i64,
    refused: Option<RefusedSecret>,
    buckets: HashMap<String, Bucket>,
}

/// A secret that the provider does not accept. Asking on with it is of no use and may get the account locked.
#[derive(Clone, Copy)]
struct RefusedSecret {
    newest_version: u32,
    times: u32,
    until: i64,
}

/// The pause after a secret was refused; it doubles.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);
/// The longest such pause.
const AFTER_REFUSALS: Duration = Duration::from_mins(15);
/// The longest pause that a provider can ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

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
    /// The provider has asked for a pause (`Retry-After`).
    #[error("provider_asked_to_wait")]
    Asked {
        /// Seconds.
        retry_after: u32,
    },
    /// The provider does not accept our secret; another one has to be sealed.
    #[error("secret_refused")]
    Secret {
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
            Self::Open { retry_after }
            | Self::Quota { retry_after }
            | Self::Asked { retry_after }
            | Self::Secret { retry_after } => retry_after.max(1),
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

    /// Takes a slot for a call of `caller` at `now` (Unix milliseconds), with `newest` as the newest version of the secret.
    pub fn enter(&self, caller: &str, newest: u32, now: i64) -> Result<Slot, Closed> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Closed::Full)?;
        let mut state = self.lock();
        if now < state.tripped_until {
            return Err(Closed::Open { retry_after: seconds(state.tripped_until - now) });
        }
        if now < state.asked_until {
            return Err(Closed::Asked { retry_after: seconds(state.asked_until - now) });
        }
        if let Some(refused) = state.refused.filter(|refused| newest <= refused.newest_version && now < refused.until) {
            return Err(Closed::Secret { retry_after: seconds(refused.until - now) });
        }
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
        state.refused = None;
    }

    /// Whether a call that is under way may send again after this pause.
    pub fn admits_again(&self, now: i64, pause: Duration) -> bool {
        let (state, then) = (self.lock(), now.saturating_add(millis(pause)));
        then >= state.tripped_until && then >= state.asked_until
    }

    /// It asked for a pause. What is under way may use the pause that it granted itself; nobody new comes in.
    pub fn wait(&self, pause: Duration, now: i64) {
        let until = now.saturating_add(millis(pause.min(LONGEST_WAIT)));
        let mut state = self.lock();
        state.asked_until = state.asked_until.max(until);
    }

    /// It does not accept any live version of our secret, of which `newest` is the newest. A newer one may try at once.
    pub fn secret_refused(&self, newest: u32, now: i64) {
        let mut state = self.lock();
        // One burst of calls is one refusal; and a late answer to an older version says nothing of the newer one.
        let known = |refused: RefusedSecret| {
            newest < refused.newest_version || newest == refused.newest_version && now < refused.until
        };
        if state.refused.is_some_and(known) {
            return;
        }
        // Default: this version was not refused before.
        let times = state.refused.filter(|refused| refused.newest_version == newest).map_or(0, |refused| refused.times);
        let pause = AFTER_REFUSAL.saturating_mul(2_u32.saturating_pow(times)).min(AFTER_REFUSALS);
        let until = now.saturating_add(millis(pause));
        state.refused = Some(RefusedSecret { newest_version: newest, times: times.saturating_add(1), until });
    }

    /// The provider did not answer as it should.
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
        state.tripped_until = now + i64::from(self.breaker.open_seconds) * 1000;
        state.open_until = Some(state.tripped_until);
    }

    fn charge(&self, state: &mut GateState, caller: &str, now: i64) -> Result<(), Closed> {
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

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(pause: Duration) -> i64 {
    // Default: longer than anybody waits.
    i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)
}

fn seconds(millis: i64) -> u32 {
    // Default: longer than anybody waits.
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
        assert!(gate.enter("ledger", 1, 0).is_ok());
        gate.failed(0);
        assert_eq!(gate.enter("ledger", 1, 1).unwrap_err(), Closed::Open { retry_after: 10 });
        assert!(gate.enter("ledger", 1, 10_000).is_ok(), "half open");
        assert!(gate.enter("ledger", 1, 10_001).is_err(), "one only");
        gate.succeeded();
        assert!(gate.enter("ledger", 1, 10_002).is_ok());
    }

    #[test]
    fn a_trip_opens_it_at_once() {
        let gate = gate(8, 600);
        gate.trip(0);
        assert!(gate.enter("ledger", 1, 0).is_err());
        gate.succeeded();
        assert!(gate.enter("ledger", 1, 9_999).is_err(), "not opened by what was under way");
        assert!(gate.enter("ledger", 1, 10_000).is_ok());
    }

    #[test]
    fn slots_are_bounded_and_come_back() {
        let gate = gate(1, 600);
        let slot = gate.enter("ledger", 1, 0).unwrap();
        assert_eq!(gate.enter("ledger", 1, 0).unwrap_err(), Closed::Full);
        drop(slot);
        assert!(gate.enter("ledger", 1, 0).is_ok());
    }

    #[test]
    fn the_quota_is_each_callers_own_and_refills() {
        let gate = gate(8, 2);
        assert!(gate.enter("ledger", 1, 0).is_ok() && gate.enter("ledger", 1, 0).is_ok());
        assert_eq!(gate.enter("ledger", 1, 0).unwrap_err(), Closed::Quota { retry_after: 30 });
        assert!(gate.enter("operator", 1, 0).is_ok());
        assert!(gate.enter("ledger", 1, 30_000).is_ok());
        assert!(gate.enter("ledger", 1, 30_000).is_err());
    }

    #[test]
    fn a_pause_that_the_provider_asks_for_closes_it_for_everybody_until_then() {
        let gate = gate(8, 600);
        gate.wait(Duration::from_secs(90), 0);
        gate.wait(Duration::from_secs(30), 0);
        assert_eq!(gate.enter("ledger", 1, 1_000).unwrap_err(), Closed::Asked { retry_after: 89 });
        gate.succeeded();
        assert!(gate.enter("operator", 1, 89_999).is_err(), "a call that was under way does not shorten it");
        assert!(gate.enter("ledger", 1, 90_000).is_ok());
        gate.wait(Duration::MAX, 0);
        assert_eq!(gate.enter("ledger", 1, 0).unwrap_err().retry_after(), 3_600, "bounded");
    }

    #[test]
    fn refused_secrets_are_left_alone_ever_longer_and_a_newer_one_tries_at_once() {
        let gate = gate(8, 600);
        let mut now = 0;
        for pause in [30, 60, 120, 240, 480, 900, 900] {
            gate.secret_refused(3, now);
            assert_eq!(gate.enter("ledger", 3, now).unwrap_err(), Closed::Secret { retry_after: pause });
            now += i64::from(pause) * 1_000;
            assert!(gate.enter("ledger", 3, now).is_ok());
        }
        gate.secret_refused(3, now);
        assert!(gate.enter("ledger", 4, now).is_ok(), "a newer version");
        gate.succeeded();
        for _ in 0..32 {
            gate.secret_refused(4, now);
        }
        assert_eq!(
            gate.enter("ledger", 4, now).unwrap_err(),
            Closed::Secret { retry_after: 30 },
            "a burst is one refusal"
        );
        gate.secret_refused(3, now);
        assert!(gate.enter("ledger", 4, now).is_err(), "a late answer to an older version opens nothing");
    }
}

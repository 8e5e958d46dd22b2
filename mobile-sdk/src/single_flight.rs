//! One renewal at a time, however many callers need its result.
//!
//! Invariants: while a renewal runs, the others wait for it; those that waited share its outcome, good or bad, and do not
//! start another; a caller that comes back late with a complaint about an *older* value gets the newer one; a value that is not
//! usable and could not be renewed is gone, so what was refused once is not used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::Error;

/// A value that expires and is renewed.
pub(crate) struct SingleFlight<T> {
    finished: AtomicU64,
    slot: Mutex<Slot<T>>,
}

struct Slot<T> {
    value: Option<Arc<T>>,
    failure: Option<Error>,
}

impl<T> SingleFlight<T> {
    pub(crate) fn new() -> Self {
        Self { finished: AtomicU64::new(0), slot: Mutex::new(Slot { value: None, failure: None }) }
    }

    /// The value if it is usable, else the outcome of a renewal that ended after this call began, else of one now.
    pub(crate) async fn get<F>(&self, usable: impl Fn(&T) -> bool, renew: impl FnOnce() -> F) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let seen = self.finished.load(Ordering::Acquire);
        let mut slot = self.slot.lock().await;
        if let Some(value) = slot.value.as_ref().filter(|value| usable(value)) {
            return Ok(value.clone());
        }
        if self.finished.load(Ordering::Acquire) != seen
            && let Some(failure) = &slot.failure
        {
            return Err(failure.clone());
        }
        let renewed = renew().await;
        self.finished.fetch_add(1, Ordering::Release);
        match renewed {
            Ok(value) => {
                let value = Arc::new(value);
                *slot = Slot { value: Some(value.clone()), failure: None };
                Ok(value)
            }
            Err(error) => {
                *slot = Slot { value: None, failure: Some(error.clone()) };
                Err(error)
            }
        }
    }

    /// Takes the value away if it is that one.
    pub(crate) async fn forget(&self, is_it: impl Fn(&T) -> bool) {
        let mut slot = self.slot.lock().await;
        slot.value = slot.value.take().filter(|value| !is_it(value));
    }

    /// Puts a value in place, or takes it away.
    pub(crate) async fn set(&self, value: Option<T>) {
        *self.slot.lock().await = Slot { value: value.map(Arc::new), failure: None };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    async fn fifty(flight: &Arc<SingleFlight<u32>>, outcome: Result<u32, Error>) -> (u32, Vec<Result<u32, Error>>) {
        let renewals = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (flight, renewals, outcome) = (flight.clone(), renewals.clone(), outcome.clone());
                tokio::spawn(async move {
                    let renew = || async {
                        renewals.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        outcome
                    };
                    flight.get(|value| *value == 1, renew).await.map(|value| *value)
                })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        (renewals.load(Ordering::SeqCst), results)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_callers_make_one_renewal() {
        let (renewals, results) = fifty(&Arc::new(SingleFlight::new()), Ok(1)).await;
        assert_eq!(renewals, 1);
        assert!(results.iter().all(|result| *result == Ok(1)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_callers_share_one_failure_and_the_next_tries_again() {
        let flight = Arc::new(SingleFlight::new());
        let (renewals, results) = fifty(&flight, Err(Error::Unreachable)).await;
        assert_eq!(renewals, 1);
        assert!(results.iter().all(|result| *result == Err(Error::Unreachable)));
        assert_eq!(fifty(&flight, Ok(1)).await.0, 1);
    }

    #[tokio::test]
    async fn a_straggler_gets_the_newer_value() {
        let flight = SingleFlight::new();
        flight.set(Some(2)).await;
        let value = flight.get(|value| *value != 1, || async { Err(Error::Unreachable) }).await;
        assert_eq!(value.map(|value| *value), Ok(2));
    }

    #[tokio::test]
    async fn a_cancelled_renewal_leaves_room_for_the_next() {
        let flight = SingleFlight::<u32>::new();
        let never = flight.get(|_| true, std::future::pending);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), never).await.is_err());
        assert!(flight.get(|_| true, || async { Ok(1) }).await.is_ok());
    }

    #[tokio::test]
    async fn what_was_refused_and_could_not_be_renewed_is_not_used_again() {
        let flight = SingleFlight::new();
        flight.set(Some(1)).await;
        assert_eq!(
            flight.get(|value| *value != 1, || async { Err(Error::Unreachable) }).await,
            Err(Error::Unreachable)
        );
        assert_eq!(*flight.get(|_| true, || async { Ok(2) }).await.unwrap(), 2);
    }
}

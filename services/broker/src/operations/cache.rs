//! Answers that can be used again: for one operation, by its parameters.
//!
//! An answer depends on nothing of the caller (an operation sends only its parameters and our secret), so all callers that may
//! ask share it. One request at a time fills an entry; the others wait for it instead of asking as well.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::error::OperationError;
use crate::providers::manifest;
use crate::providers::parameter::Checked;

/// Different parameters that are remembered; beyond that everything is forgotten and asked again.
const MAX_ENTRIES: usize = 256;

type Slot = Arc<Mutex<Option<Entry>>>;

/// The answers of one operation.
#[derive(Default)]
pub struct Cache {
    slots: std::sync::Mutex<HashMap<Checked, Slot>>,
}

struct Entry {
    at: i64,
    answer: Arc<Map<String, Value>>,
}

impl Cache {
    /// The remembered answer, or that of `fetch`, or a stale one where the provider cannot be asked. `now` in milliseconds.
    pub async fn get<F>(
        &self,
        rules: manifest::Cache,
        params: &Checked,
        now: i64,
        fetch: F,
    ) -> Result<Arc<Map<String, Value>>, OperationError>
    where
        F: Future<Output = Result<Map<String, Value>, OperationError>>,
    {
        let slot = self.slot(params);
        let mut entry = slot.lock().await;
        let fresh = i64::from(rules.seconds) * 1000;
        let stale = fresh + i64::from(rules.stale_seconds) * 1000;
        // Default: what is not there is older than anything.
        let age = entry.as_ref().map_or(i64::MAX, |entry| now.saturating_sub(entry.at));
        if let Some(entry) = entry.as_ref().filter(|_| age < fresh) {
            return Ok(Arc::clone(&entry.answer));
        }
        match fetch.await {
            Ok(answer) => {
                let answer = Arc::new(answer);
                *entry = Some(Entry { at: now, answer: Arc::clone(&answer) });
                Ok(answer)
            }
            Err(error) => match entry.as_ref().filter(|_| age < stale && error.is_outage()) {
                Some(entry) => {
                    tracing::warn!(cause = %error, age_seconds = age / 1000, "a stale answer serves");
                    Ok(Arc::clone(&entry.answer))
                }
                None => Err(error),
            },
        }
    }

    fn slot(&self, params: &Checked) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_ENTRIES && !slots.contains_key(params) {
            slots.clear();
        }
        Arc::clone(slots.entry(params.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const RULES: manifest::Cache = manifest::Cache { seconds: 10, stale_seconds: 50 };

    async fn ask(cache: &Cache, now: i64, answer: Result<u32, ()>, asked: &AtomicU32) -> Option<u64> {
        let fetch = async {
            asked.fetch_add(1, Ordering::SeqCst);
            match answer {
                Ok(n) => Ok(serde_json::json!({ "n": n }).as_object().unwrap().clone()),
                Err(()) => Err(OperationError::Failed("down".to_owned())),
            }
        };
        let found = cache.get(RULES, &Checked::default(), now, fetch).await.ok()?;
        found["n"].as_u64()
    }

    #[tokio::test]
    async fn an_answer_serves_while_fresh_and_longer_while_the_provider_is_down() {
        let (cache, asked) = (Cache::default(), AtomicU32::new(0));
        assert_eq!(ask(&cache, 0, Err(()), &asked).await, None);
        assert_eq!(ask(&cache, 0, Ok(1), &asked).await, Some(1));
        assert_eq!(ask(&cache, 9_999, Ok(2), &asked).await, Some(1));
        assert_eq!(ask(&cache, 10_000, Err(()), &asked).await, Some(1), "stale");
        assert_eq!(ask(&cache, 60_000, Err(()), &asked).await, None, "too stale");
        assert_eq!(ask(&cache, 60_000, Ok(3), &asked).await, Some(3));
        assert_eq!(asked.into_inner(), 5);
    }

    #[tokio::test]
    async fn one_asks_and_the_others_wait() {
        let (cache, asked) = (Cache::default(), AtomicU32::new(0));
        let (one, two, three) =
            tokio::join!(ask(&cache, 0, Ok(1), &asked), ask(&cache, 0, Ok(2), &asked), ask(&cache, 0, Ok(3), &asked));
        assert_eq!((one, two, three), (Some(1), Some(1), Some(1)));
        assert_eq!(asked.into_inner(), 1);
    }
}

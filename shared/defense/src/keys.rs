//! The keys that the token layers verify with: fetched over mTLS, cached, refreshed.
//!
//! What must hold:
//! - a key that is in the cache is used at once; nobody waits for a refresh that is not needed for the request at hand;
//! - one fetch at a time, in a task of its own: a client that goes away cannot cancel it;
//! - an unknown key id causes at most one fetch in [`PATIENCE`] seconds, so that forged tokens cannot make us hammer the
//!   issuer;
//! - what was fetched stays usable while refreshing fails, but not beyond [`MAX_AGE`]: a withdrawn key ends at last.

use std::sync::{Arc, PoisonError, RwLock};

use identity::access_token::KeySet;
use identity::attestation_token::{AudienceKeys, KeyId};
use tokio::sync::Mutex;

/// Seconds between the end of one fetch and the next one that an unknown key id can cause.
const PATIENCE: i64 = 2;
/// Seconds after which keys are fetched again although none is missing.
const REFRESH: i64 = 300;
/// Seconds after which keys are not used any more, however long refreshing has failed.
const MAX_AGE: i64 = 3600;

/// The issuer cannot be reached and nothing usable is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be fetched")]
pub struct KeysUnavailable;

struct Cached<T> {
    source: Arc<Source<T>>,
}

struct Source<T> {
    client: reqwest::Client,
    url: String,
    parse: fn(&[u8]) -> Option<T>,
    value: RwLock<Option<(Arc<T>, i64)>>,
    /// When the last fetch ended; locked while one is under way.
    last_attempt: Mutex<i64>,
}

impl<T: Send + Sync + 'static> Cached<T> {
    fn new(client: reqwest::Client, url: String, parse: fn(&[u8]) -> Option<T>) -> Self {
        let (value, last_attempt) = (RwLock::new(None), Mutex::new(i64::MIN));
        Self { source: Arc::new(Source { client, url, parse, value, last_attempt }) }
    }

    /// Holds `value` as if it had been fetched at `now`.
    #[cfg(test)]
    fn holding(client: reqwest::Client, value: T, now: i64) -> Self {
        let cached = Self::new(client, "https://localhost:1/".to_owned(), |_| None);
        *cached.source.value.write().unwrap() = Some((Arc::new(value), now));
        cached
    }

    /// The cached value if it has what is asked for; else a fresh one. A value that is merely old is refreshed aside.
    async fn get(&self, now: i64, has: impl Fn(&T) -> bool) -> Result<Arc<T>, KeysUnavailable> {
        if let Some((value, fetched)) = self.source.cached(now).filter(|cached| has(&cached.0)) {
            if now - fetched >= REFRESH {
                drop(tokio::spawn(Source::refresh(self.source.clone(), now)));
            }
            return Ok(value);
        }
        // In a task of its own: if the client hangs up, the fetch goes on for the others.
        drop(tokio::spawn(Source::refresh(self.source.clone(), now)).await);
        self.source.cached(now).map(|cached| cached.0).ok_or(KeysUnavailable)
    }
}

impl<T> Source<T> {
    fn cached(&self, now: i64) -> Option<(Arc<T>, i64)> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        value.clone().filter(|(_, fetched)| now - fetched < MAX_AGE)
    }

    async fn refresh(self: Arc<Self>, now: i64) {
        let Ok(mut last_attempt) = self.last_attempt.try_lock() else {
            // Whoever waits for another one's fetch is content with it: a slow issuer must not be asked in a row.
            drop(self.last_attempt.lock().await);
            return;
        };
        if now.saturating_sub(*last_attempt) < PATIENCE {
            return;
        }
        let fresh = self.fetch().await;
        *last_attempt = now;
        if let Some(fresh) = fresh {
            *self.value.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(fresh), now));
        }
    }

    async fn fetch(&self) -> Option<T> {
        let response = runtime::http::send(self.client.get(&self.url)).await.ok()?.error_for_status().ok()?;
        (self.parse)(&response.bytes().await.ok()?)
    }
}

/// This service's own audience keys, from the attestation service.
pub struct AudienceKeySource(Cached<AudienceKeys>);

impl AudienceKeySource {
    /// `client` must present this service's certificate; `base` is the attestation service's internal URL.
    pub fn new(client: reqwest::Client, base: &str) -> Self {
        let url = format!("{}/internal/v1/audience-keys", base.trim_end_matches('/'));
        Self(Cached::new(client, url, parse_audience_keys))
    }

    #[cfg(test)]
    pub(crate) fn holding(client: reqwest::Client, keys: AudienceKeys, now: i64) -> Self {
        Self(Cached::holding(client, keys, now))
    }

    /// The keys, with the one of this name among them if the issuer has it.
    pub async fn get(&self, id: KeyId, now: i64) -> Result<Arc<AudienceKeys>, KeysUnavailable> {
        self.0.get(now, |keys| keys.keys.iter().any(|key| key.id == id)).await
    }
}

fn parse_audience_keys(body: &[u8]) -> Option<AudienceKeys> {
    let wire: api::internal::AudienceKeys = serde_json::from_slice(body).ok()?;
    AudienceKeys::try_from(&wire).ok()
}

/// The authorization server's public keys.
pub struct JwksSource(Cached<KeySet>);

impl JwksSource {
    /// `client` must present this service's certificate; `base` is the auth service's internal URL.
    pub fn new(client: reqwest::Client, base: &str) -> Self {
        let url = format!("{}/jwks.json", base.trim_end_matches('/'));
        Self(Cached::new(client, url, |body| KeySet::from_jwks(std::str::from_utf8(body).ok()?).ok()))
    }

    #[cfg(test)]
    pub(crate) fn holding(client: reqwest::Client, keys: KeySet, now: i64) -> Self {
        Self(Cached::holding(client, keys, now))
    }

    /// The keys, with `kid` among them if the issuer has it.
    pub async fn get(&self, kid: &str, now: i64) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.0.get(now, |keys| keys.get(kid).is_some()).await
    }
}

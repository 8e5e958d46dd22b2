//! The keys that the token layers verify with: fetched over mTLS, cached, refreshed.
//!
//! What must hold: one fetch at a time; an unknown key id causes at most one fetch in [`PATIENCE`] seconds, so that
//! forged tokens cannot make us hammer the issuer; what was fetched stays usable while a refresh fails, because each
//! key carries its own end of life.

use std::sync::{Arc, RwLock};

use identity::access_token::KeySet;
use identity::attestation_token::AudienceKeys;
use tokio::sync::Mutex;

/// Seconds between two fetches that an unknown key id can cause.
const PATIENCE: i64 = 2;
/// Seconds after which keys are fetched again although none is missing.
const REFRESH: i64 = 300;

/// The issuer cannot be reached and nothing usable is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be fetched")]
pub struct KeysUnavailable;

struct Cached<T> {
    client: reqwest::Client,
    url: String,
    parse: fn(&[u8]) -> Option<T>,
    value: RwLock<Option<(Arc<T>, i64)>>,
    last_attempt: Mutex<i64>,
}

impl<T> Cached<T> {
    fn new(client: reqwest::Client, url: String, parse: fn(&[u8]) -> Option<T>) -> Self {
        Self { client, url, parse, value: RwLock::new(None), last_attempt: Mutex::new(i64::MIN) }
    }

    /// Holds `value` as if it had been fetched at `now`.
    #[cfg(test)]
    fn holding(value: T, now: i64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "never used: the value is there")]
        let client = reqwest::Client::new();
        let cached = Self::new(client, "https://localhost:1/".to_owned(), |_| None);
        *cached.value.write().unwrap() = Some((Arc::new(value), now));
        cached
    }

    fn cached(&self) -> Option<(Arc<T>, i64)> {
        self.value.read().ok()?.clone()
    }

    async fn get(&self, now: i64, has: impl Fn(&T) -> bool) -> Result<Arc<T>, KeysUnavailable> {
        let usable = |cached: &(Arc<T>, i64)| has(&cached.0) && now - cached.1 < REFRESH;
        if let Some(cached) = self.cached().filter(usable) {
            return Ok(cached.0);
        }
        let mut last_attempt = self.last_attempt.lock().await;
        if let Some(cached) = self.cached().filter(usable) {
            return Ok(cached.0);
        }
        if now.saturating_sub(*last_attempt) >= PATIENCE {
            *last_attempt = now;
            if let Some(fresh) = self.fetch().await
                && let Ok(mut value) = self.value.write()
            {
                *value = Some((Arc::new(fresh), now));
            }
        }
        self.cached().map(|cached| cached.0).ok_or(KeysUnavailable)
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
    pub(crate) fn holding(keys: AudienceKeys, now: i64) -> Self {
        Self(Cached::holding(keys, now))
    }

    /// The keys, with the one of `epoch` among them if the issuer has it.
    pub async fn get(&self, epoch: u32, now: i64) -> Result<Arc<AudienceKeys>, KeysUnavailable> {
        self.0.get(now, |keys| keys.keys.iter().any(|key| key.epoch == epoch)).await
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
    pub(crate) fn holding(keys: KeySet, now: i64) -> Self {
        Self(Cached::holding(keys, now))
    }

    /// The keys, with `kid` among them if the issuer has it.
    pub async fn get(&self, kid: &str, now: i64) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.0.get(now, |keys| keys.get(kid).is_some()).await
    }
}

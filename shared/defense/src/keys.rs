//! The keys that the token layers verify with: fetched over mTLS, cached, refreshed.
//!
//! What must hold:
//! - a key that is withdrawn ends within ten seconds if the issuer answers ([`JWKS`]), whether or not anybody asked meanwhile: a value that is
//!   older than it may be is not used before the issuer has been asked; nor is one from the future, which a clock that stepped back leaves;
//! - a value that is good enough is used at once, and what is merely due is refreshed aside;
//! - one fetch at a time, in a task of its own: a client that goes away cannot cancel it; and at most one in [`PATIENCE`] seconds, so
//!   that neither traffic nor forged tokens with unknown key ids make us hammer the issuer;
//! - an issuer that is away or hangs stops nobody at once: what was fetched stays usable, and after a failure nobody waits for the next
//!   try, with an unknown key id neither; but not beyond [`Ages::end`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use identity::access_token::KeySet;
use identity::attestation_token::{AudienceKeys, KeyId};
use tokio::sync::Mutex;

/// Seconds between the start of one fetch and that of the next one.
const PATIENCE: i64 = 2;
/// Seconds after the start of a failed fetch in which nobody waits for another one: enough for two that hang, so that traffic, which makes
/// the next one begin in time, never waits while the issuer hangs.
const AFTER_FAILURE: i64 = 5;
/// How long a fetch may take. With the seconds of [`Ages::ask`] it makes the bound within which a withdrawal is seen.
const FETCH: Duration = Duration::from_secs(2);

/// What a value may be used for at which age, in seconds.
#[derive(Clone, Copy)]
struct Ages {
    /// It is fetched again, aside.
    refresh: i64,
    /// It is not used before the issuer has been asked.
    ask: i64,
    /// It is not used any more, however long the issuer has been away.
    end: i64,
}

/// A withdrawn signing key is refused 10 s later at the latest, if the issuer answers: at an age that counts as less than 7 s and is less
/// than 8, the value is used as it is; after that the issuer is asked, which takes 2 s at most. A fetch that fails lets the value be used
/// for as long as counts as [`AFTER_FAILURE`] and is less than 6 s from that fetch's start; so every failure puts the refusal off, until the
/// end. That end is a choice of security over availability: who reaches the issuer while we do not has tokens that are good, and is refused
/// after five minutes; but no key that was withdrawn unseen is believed for longer.
const JWKS: Ages = Ages { refresh: 3, ask: 7, end: identity::access_token::MAX_LIFETIME };
/// Attestation's secrets end by their epoch, which is known beforehand.
const AUDIENCE_KEYS: Ages = Ages { refresh: 300, ask: 3600, end: 3600 };

/// The issuer cannot be reached and nothing usable is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys cannot be fetched")]
pub struct KeysUnavailable;

/// Why a fetch failed; for the log.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{}", runtime::http::cause(.0))]
    Http(#[from] reqwest::Error),
    #[error("no answer within {} s", FETCH.as_secs())]
    Late,
    #[error("the answer is no set of keys")]
    Malformed,
}

struct Cached<T> {
    source: Arc<Source<T>>,
}

struct Source<T> {
    client: reqwest::Client,
    url: String,
    parse: fn(&[u8]) -> Option<T>,
    ages: Ages,
    value: RwLock<Option<(Arc<T>, i64)>>,
    /// When the last fetch began; locked while one is under way.
    last_attempt: Mutex<i64>,
    /// When the last fetch that failed began, if no other has succeeded since.
    failed: AtomicI64,
}

impl<T: Send + Sync + 'static> Cached<T> {
    fn new(client: reqwest::Client, url: String, parse: fn(&[u8]) -> Option<T>, ages: Ages) -> Self {
        let (value, last_attempt, failed) = (RwLock::new(None), Mutex::new(i64::MIN), AtomicI64::new(i64::MIN));
        Self { source: Arc::new(Source { client, url, parse, ages, value, last_attempt, failed }) }
    }

    /// Holds `value` as if it had been fetched at `now`.
    #[cfg(test)]
    fn holding(self, value: T, now: i64) -> Self {
        *self.source.value.write().unwrap() = Some((Arc::new(value), now));
        self
    }

    /// The cached value if it is young enough and has what is asked for; else the issuer is asked first.
    async fn get(&self, now: i64, has: impl Fn(&T) -> bool) -> Result<Arc<T>, KeysUnavailable> {
        let source = &self.source;
        if let Some((value, fetched)) = source.cached(now) {
            let younger = |age: i64| has(&value) && within(age, now, fetched);
            if younger(source.ages.ask) || within(AFTER_FAILURE, now, source.failed.load(Ordering::Relaxed)) {
                if !younger(source.ages.refresh) && source.may_ask(now) {
                    drop(tokio::spawn(Source::refresh(Arc::clone(source), now)));
                }
                return Ok(value);
            }
        }
        // In a task of its own: if the client hangs up, the fetch goes on for the others.
        if let Err(error) = tokio::spawn(Source::refresh(Arc::clone(source), now)).await {
            runtime::tracing::error!(%error, "fetching keys was interrupted");
        }
        source.cached(now).map(|cached| cached.0).ok_or(KeysUnavailable)
    }
}

/// Whether `then` is less than so many seconds ago. What is yet to come is not: the wall clock has stepped back, and how long ago it was, nobody
/// knows.
fn within(seconds: i64, now: i64, then: i64) -> bool {
    (0..seconds).contains(&now.saturating_sub(then))
}

impl<T> Source<T> {
    fn cached(&self, now: i64) -> Option<(Arc<T>, i64)> {
        let value = self.value.read().unwrap_or_else(PoisonError::into_inner);
        // A little of the future is usual: somebody whose second had begun later was the one who fetched.
        value.clone().filter(|(_, fetched)| (-self.ages.end..self.ages.end).contains(&now.saturating_sub(*fetched)))
    }

    /// Whether a fetch could begin now.
    fn may_ask(&self, now: i64) -> bool {
        self.last_attempt.try_lock().is_ok_and(|last| !within(PATIENCE, now, *last))
    }

    async fn refresh(self: Arc<Self>, now: i64) {
        let Ok(mut last_attempt) = self.last_attempt.try_lock() else {
            // Whoever waits for another one's fetch is content with it: a slow issuer must not be asked in a row.
            drop(self.last_attempt.lock().await);
            return;
        };
        if within(PATIENCE, now, *last_attempt) {
            return;
        }
        let fetched = tokio::time::timeout(FETCH, self.fetch()).await.map_err(|_| FetchError::Late).flatten();
        *last_attempt = now;
        match fetched {
            Ok(fresh) => {
                *self.value.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(fresh), now));
                self.failed.store(i64::MIN, Ordering::Relaxed);
            }
            Err(error) => {
                self.failed.store(now, Ordering::Relaxed);
                runtime::tracing::warn!(cause = %error, url = self.url, "keys cannot be fetched");
            }
        }
    }

    async fn fetch(&self) -> Result<T, FetchError> {
        let response = runtime::http::send(self.client.get(&self.url)).await?.error_for_status()?;
        (self.parse)(&response.bytes().await?).ok_or(FetchError::Malformed)
    }
}

/// This service's own audience keys, from the attestation service.
pub struct AudienceKeySource(Cached<AudienceKeys>);

impl AudienceKeySource {
    /// `client` must present this service's certificate; `base` is the attestation service's internal URL.
    pub fn new(client: reqwest::Client, base: &str) -> Self {
        let url = format!("{}/internal/v1/audience-keys", base.trim_end_matches('/'));
        Self(Cached::new(client, url, parse_audience_keys, AUDIENCE_KEYS))
    }

    #[cfg(test)]
    pub(crate) fn holding(client: reqwest::Client, keys: AudienceKeys, now: i64) -> Self {
        Self(Self::new(client, "https://localhost:1").0.holding(keys, now))
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
        Self(Cached::new(client, url, parse_jwks, JWKS))
    }

    #[cfg(test)]
    pub(crate) fn holding(client: reqwest::Client, keys: KeySet, now: i64) -> Self {
        Self(Self::new(client, "https://localhost:1").0.holding(keys, now))
    }

    /// The keys, with `kid` among them if the issuer has it.
    pub async fn get(&self, kid: &str, now: i64) -> Result<Arc<KeySet>, KeysUnavailable> {
        self.0.get(now, |keys| keys.get(kid).is_some()).await
    }
}

fn parse_jwks(body: &[u8]) -> Option<KeySet> {
    KeySet::from_jwks(std::str::from_utf8(body).ok()?).ok()
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;

//! Reading secrets.
//!
//! The cache lives for seconds (time to live, not idle time), so that a hot secret still notices a rotation; it is asked to
//! look again at once when a provider refuses a secret, but at most once a second, so that refusals cannot hammer the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crypto::envelope::{self, Context, EnvelopeError, KekProvider};
use crypto::{Secret, SecretString};
use runtime::Clock;
use storage::{Pool, StorageError};
use thiserror::Error;

use super::{purpose, store};
use crate::operations::scrub::Scrubber;

/// How soon after a look at the database another one may be asked for.
const RELOAD_MILLIS: i64 = 1_000;

/// One live version of a secret.
pub struct Live {
    /// Its version.
    pub version: u32,
    /// The secret.
    pub value: SecretString,
    /// Finds it in answers.
    pub scrubber: Scrubber,
}

/// Why a secret cannot be had. None of it goes to a caller.
#[derive(Debug, Error)]
pub enum VaultError {
    /// No live version.
    #[error(
        "no live version of secret {provider}/{id}; seal one: broker seal-secret --provider {provider} --id {id} --file FILE"
    )]
    Missing {
        /// The provider.
        provider: String,
        /// The id.
        id: String,
    },
    /// A record does not open: another key, or the row was changed.
    #[error("secret {provider}/{id} version {version}: {source}")]
    Sealed {
        /// The provider.
        provider: String,
        /// The id.
        id: String,
        /// The version.
        version: u32,
        /// Why.
        source: EnvelopeError,
    },
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Opens secrets.
pub struct Vault {
    pool: Pool,
    kek: Box<dyn KekProvider>,
    clock: Arc<dyn Clock>,
    ttl_millis: i64,
    cache: Mutex<HashMap<(String, String), Entry>>,
}

#[derive(Clone)]
struct Entry {
    loaded: i64,
    live: Arc<[Live]>,
}

impl Vault {
    /// A vault over `pool` that opens with `kek` and remembers for `ttl_seconds`.
    pub fn new(pool: Pool, kek: Box<dyn KekProvider>, clock: Arc<dyn Clock>, ttl_seconds: u32) -> Self {
        Self { pool, kek, clock, ttl_millis: i64::from(ttl_seconds) * 1000, cache: Mutex::default() }
    }

    /// The live versions, newest first; at least one.
    pub async fn live(&self, provider: &str, id: &str) -> Result<Arc<[Live]>, VaultError> {
        self.younger_than(self.ttl_millis, provider, id).await
    }

    /// The same, looked up again unless that has just been done: for when the versions at hand were refused.
    pub async fn reloaded(&self, provider: &str, id: &str) -> Result<Arc<[Live]>, VaultError> {
        self.younger_than(RELOAD_MILLIS.min(self.ttl_millis), provider, id).await
    }

    async fn younger_than(&self, age: i64, provider: &str, id: &str) -> Result<Arc<[Live]>, VaultError> {
        let key = (provider.to_owned(), id.to_owned());
        let now = self.clock.unix_millis();
        if let Some(entry) = self.lock().get(&key).filter(|entry| now - entry.loaded < age) {
            return Ok(Arc::clone(&entry.live));
        }
        let loaded = self.load(provider, id).await;
        match loaded {
            Ok(live) => {
                self.lock().insert(key, Entry { loaded: now, live: Arc::clone(&live) });
                Ok(live)
            }
            Err(error) => {
                // A secret that is gone or does not open must not live on in memory. A database that does not answer changes
                // nothing about it, but it is not used beyond its time either.
                self.lock().remove(&key);
                Err(error)
            }
        }
    }

    async fn load(&self, provider: &str, id: &str) -> Result<Arc<[Live]>, VaultError> {
        let mut db = storage::connection(&self.pool).await?;
        let rows = store::live(&mut db, provider, id).await?;
        drop(db);
        let live: Result<Vec<Live>, VaultError> =
            rows.into_iter().map(|(version, record)| self.open(provider, id, version, record.as_deref())).collect();
        let live = live?;
        if live.is_empty() {
            return Err(VaultError::Missing { provider: provider.to_owned(), id: id.to_owned() });
        }
        Ok(live.into())
    }

    /// One row that does not open fails the whole secret: the vault does not quietly fall back to what an attacker left.
    fn open(&self, provider: &str, id: &str, version: i32, record: Option<&[u8]>) -> Result<Live, VaultError> {
        let version = version.unsigned_abs();
        let sealed = |source| VaultError::Sealed { provider: provider.to_owned(), id: id.to_owned(), version, source };
        let context = Context { purpose: &purpose(provider), id, version };
        let bytes = envelope::open(self.kek.as_ref(), &context, record.unwrap_or_default()).map_err(sealed)?;
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| sealed(EnvelopeError::Malformed))?;
        Ok(Live { version, value: Secret::new(text.to_owned()), scrubber: Scrubber::new(text) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Entry>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

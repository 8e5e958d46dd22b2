//! Reading secrets.
//!
//! The cache lives for seconds (time to live, not idle time), so that a hot secret still notices a rotation; it is asked to
//! look again at once when a provider refuses a secret, but at most once a second, so that refusals cannot hammer the database.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crypto::SecretString;
use crypto::envelope::{self, EnvelopeError, FileKek, KekProvider};
use crypto::files::FileError;
use runtime::{Clock, Record, Shutdown, Who};
use storage::{Pool, StorageError};
use thiserror::Error;

use super::SecretPlace;
use super::floor::{FloorError, Floors};
use super::store::{self, Version};
use crate::config::Vault as Settings;
use crate::ids::{ProviderName, SecretId};
use crate::operations::scrub::Scrubber;
use crate::providers::Provider;

/// How soon after a look at the database another one may be asked for.
const RELOAD_MILLIS: i64 = 1_000;
/// How often what is too old is dropped.
const FORGET_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for a floor that is just being raised.
const BETWEEN_LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// One live version of a secret.
pub struct Live {
    pub version: u32,
    pub value: SecretString,
}

/// All live secrets of one provider.
pub struct Keys {
    provider: ProviderName,
    /// The live versions by the secret's id, newest first.
    secrets: BTreeMap<SecretId, Vec<Live>>,
    /// Finds any of them in the provider's answers.
    pub scrubber: Scrubber,
}

impl Keys {
    /// The live versions of one secret, newest first; at least one.
    pub fn of(&self, id: &SecretId) -> Result<&[Live], VaultError> {
        let live = self.secrets.get(id).filter(|live| !live.is_empty());
        live.map(Vec::as_slice).ok_or_else(|| VaultError::Missing { provider: self.provider.clone(), id: id.clone() })
    }
}

/// Why a secret cannot be had. None of it goes to a caller.
#[derive(Debug, Error)]
pub enum VaultError {
    #[error(
        "no live version of secret {provider}/{id}; seal one: broker seal-secret --provider {provider} --id {id} --file FILE"
    )]
    Missing { provider: ProviderName, id: SecretId },
    /// A record does not open: another key, another place, or the row was changed.
    #[error("secret {provider}/{id} version {version} for {origin}: {source}")]
    Sealed {
        provider: ProviderName,
        id: SecretId,
        version: u32,
        /// The origin that it is needed for.
        origin: String,
        source: EnvelopeError,
    },
    /// A version is live that was retired before: the row was brought back.
    #[error(
        "secret {provider}/{id}: version {version} is live, but {floor} is the lowest that may be; seal the secret anew"
    )]
    BelowFloor {
        provider: ProviderName,
        id: SecretId,
        version: i32,
        /// The lowest that may be used.
        floor: i32,
    },
    /// The floor is missing, or lower than the table says it was raised to: it was lost, or an old copy was brought back.
    #[error(
        "secret {provider}/{id}: the floor is behind version {retired}, which is retired; raise it: \
         broker retire-secret --provider {provider} --id {id} --version {retired}"
    )]
    FloorBehind {
        provider: ProviderName,
        id: SecretId,
        /// The newest version that is retired; 0 if there is none.
        retired: i32,
    },
    #[error(transparent)]
    Floor(#[from] FloorError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What cannot happen has happened; nothing is done about it but to stop.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

impl VaultError {
    /// A stable word for the audit log, for what looks like somebody's doing.
    fn alarm(&self) -> Option<&'static str> {
        match self {
            Self::Sealed { source, .. } => Some(source.reason()),
            Self::BelowFloor { .. } => Some("version_below_floor"),
            Self::FloorBehind { .. } => Some("floor_behind"),
            Self::Floor(FloorError::Missing(_)) => Some("floor_missing"),
            Self::Floor(_) => Some("floor_unreadable"),
            Self::Missing { .. } | Self::Storage(_) | Self::Invariant(_) => None,
        }
    }
}

pub struct Vault {
    pool: Pool,
    kek: Box<dyn KekProvider>,
    floor_file: PathBuf,
    clock: Arc<dyn Clock>,
    ttl_millis: i64,
    cache: Mutex<HashMap<ProviderName, Entry>>,
}

#[derive(Clone)]
struct Entry {
    loaded: i64,
    keys: Arc<Keys>,
}

impl Vault {
    /// A vault over `pool` that opens with the keys that `settings` name.
    pub fn new(pool: Pool, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, FileError> {
        Ok(Self {
            pool,
            kek: Box::new(FileKek::from_file(&settings.kek_file)?),
            floor_file: settings.floor_file.clone(),
            clock,
            ttl_millis: i64::from(settings.cache_seconds) * 1000,
            cache: Mutex::default(),
        })
    }

    /// Drops what is older than its time, until the process goes down: a provider that nobody calls any more must not keep a
    /// retired secret in memory.
    pub async fn forget(self: Arc<Self>, shutdown: Shutdown) -> anyhow::Result<()> {
        while !shutdown.is_requested() {
            tokio::select! {
                () = shutdown.requested() => (),
                () = tokio::time::sleep(FORGET_EVERY) => (),
            }
            let now = self.clock.unix_millis();
            self.lock().retain(|_, entry| now - entry.loaded < self.ttl_millis);
        }
        Ok(())
    }

    /// All live secrets of a provider.
    pub async fn keys(&self, provider: &Provider) -> Result<Arc<Keys>, VaultError> {
        self.younger_than(self.ttl_millis, provider).await
    }

    /// The same, looked up again unless that has just been done: for when the versions at hand were refused.
    pub async fn reloaded(&self, provider: &Provider) -> Result<Arc<Keys>, VaultError> {
        self.younger_than(RELOAD_MILLIS.min(self.ttl_millis), provider).await
    }

    async fn younger_than(&self, age: i64, provider: &Provider) -> Result<Arc<Keys>, VaultError> {
        let now = self.clock.unix_millis();
        if let Some(entry) = self.lock().get(&provider.name).filter(|entry| now - entry.loaded < age) {
            return Ok(Arc::clone(&entry.keys));
        }
        match self.load(provider).await {
            Ok(keys) => {
                self.lock().insert(provider.name.clone(), Entry { loaded: now, keys: Arc::clone(&keys) });
                Ok(keys)
            }
            Err(error) => {
                // A secret that is gone or does not open must not live on in memory. A database that does not answer changes nothing about it: it
                // serves for the rest of its time, and not beyond.
                let mut cache = self.lock();
                let in_time = cache.get(&provider.name).is_some_and(|entry| now - entry.loaded < self.ttl_millis);
                if !(in_time && matches!(error, VaultError::Storage(_))) {
                    cache.remove(&provider.name);
                }
                Err(error)
            }
        }
    }

    /// Looks again when floor and table disagree: `seal-secret` may be between the two just now.
    async fn load(&self, provider: &Provider) -> Result<Arc<Keys>, VaultError> {
        let mut pauses = BETWEEN_LOOKS.into_iter();
        loop {
            let outcome = self.look(provider).await;
            match (&outcome, pauses.next()) {
                (Err(VaultError::BelowFloor { .. } | VaultError::FloorBehind { .. }), Some(pause)) => {
                    tokio::time::sleep(pause).await;
                }
                (Err(error), _) => {
                    if let Some(reason) = error.alarm() {
                        let who = Who { provider: Some(provider.name.to_string()), ..Who::default() };
                        Record::new("vault", reason).about(who).write();
                    }
                    return outcome;
                }
                (Ok(_), _) => return outcome,
            }
        }
    }

    /// One row that does not open fails all secrets of the provider: the vault does not quietly fall back to what an attacker
    /// left, and a live secret that is not known could not be found in an answer.
    async fn look(&self, provider: &Provider) -> Result<Arc<Keys>, VaultError> {
        let mut secrets = BTreeMap::new();
        let mut db = storage::connection(&self.pool).await?;
        for place in SecretPlace::all(provider) {
            let rows = store::live(&mut db, &place).await?;
            let retired = store::newest_retired(&mut db, &place).await?;
            let versions: Vec<i32> = rows.iter().map(|row| row.version).collect();
            self.check_floor(&place, &versions, retired)?;
            let live: Result<Vec<Live>, VaultError> = rows.into_iter().map(|row| self.open(&place, &row)).collect();
            secrets.insert(place.id, live?);
        }
        let values = secrets.values().flatten().map(|live: &Live| live.value.expose().as_bytes());
        let scrubber = Scrubber::new(values);
        Ok(Arc::new(Keys { provider: provider.name.clone(), secrets, scrubber }))
    }

    /// Live versions are not below the floor, retired ones are, and none is newer than the floor knows. A secret that never was has
    /// none.
    fn check_floor(&self, place: &SecretPlace, live: &[i32], retired: Option<i32>) -> Result<(), VaultError> {
        let Some(newest) = live.iter().copied().chain(retired).max() else {
            return Ok(());
        };
        let bounds = Floors::read(&self.floor_file, self.kek.as_ref())?.of(place);
        let (provider, id) = (place.provider.clone(), place.id.clone());
        let Some(bounds) = bounds.filter(|it| newest <= it.newest && retired.is_none_or(|retired| retired < it.lowest))
        else {
            // Default: 0 is in the message, where none is retired.
            return Err(VaultError::FloorBehind { provider, id, retired: retired.unwrap_or(0) });
        };
        match live.iter().find(|version| **version < bounds.lowest) {
            Some(&version) => Err(VaultError::BelowFloor { provider, id, version, floor: bounds.lowest }),
            None => Ok(()),
        }
    }

    fn open(&self, place: &SecretPlace, row: &Version) -> Result<Live, VaultError> {
        let version = row.version.unsigned_abs();
        let sealed = |source| VaultError::Sealed {
            provider: place.provider.clone(),
            id: place.id.clone(),
            version,
            origin: place.origin.clone(),
            source,
        };
        let record = row.record.as_deref().ok_or_else(|| sealed(EnvelopeError::Malformed))?;
        let opened = place.context(version, |context| envelope::open(self.kek.as_ref(), context, record));
        let bytes = opened.map_err(sealed)?;
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| sealed(EnvelopeError::Malformed))?;
        Ok(Live { version, value: SecretString::from(text) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProviderName, Entry>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The lowest version of each secret that may be used, and the newest that there is, kept outside the table: who can write the table can bring a retired
//! record back, who can also write this file and open the key-encryption key need not.
//!
//! The file is an envelope record under the key-encryption key. It only rises, by `seal-secret` and `retire-secret`, after the
//! table has changed. A broker refuses what is below it, and refuses a floor that the table has left behind: one that was
//! restored from a copy would let retired versions back in.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crypto::envelope::{self, Context, EnvelopeError, KekProvider};
use crypto::files::{self, FileError};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::Instant;

use super::place::SecretPlace;

const CONTEXT: Context<'static> = Context { purpose: "secrets-floor", id: "floor", version: 1, bound_to: &[] };

/// How long another command may hold the lock.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Why the floor cannot be read or raised.
#[derive(Debug, Error)]
pub enum FloorError {
    #[error(
        "the floor of the secrets' versions, {0}, is missing: restore it, or run seal-secret or retire-secret once for each secret"
    )]
    Missing(PathBuf),
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another command holds the lock.
    #[error("another command is writing secrets: {0} is locked")]
    Locked(PathBuf),
    /// It was changed, or made under another key.
    #[error("the floor of the secrets' versions, {path}: {source}")]
    Sealed { path: PathBuf, source: EnvelopeError },
}

/// Which versions of a secret there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The lowest that may be used.
    pub lowest: i32,
    /// The newest that was sealed: a number is never given twice, also when the table was lost.
    pub newest: i32,
}

/// The bounds of all secrets, by `provider/id`.
#[derive(Debug, Default)]
pub struct Floors(BTreeMap<String, Bounds>);

impl Floors {
    pub fn read(path: &Path, kek: &dyn KekProvider) -> Result<Self, FloorError> {
        let sealed = |source| FloorError::Sealed { path: path.to_owned(), source };
        let record = match files::read_secret(path) {
            Err(FileError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Err(FloorError::Missing(path.to_owned()));
            }
            read => read?,
        };
        let text = envelope::open(kek, &CONTEXT, record.expose()).map_err(sealed)?;
        serde_json::from_slice(text.expose()).map(Self).map_err(|_| sealed(EnvelopeError::Malformed))
    }

    /// The bounds of a secret.
    pub fn of(&self, place: &SecretPlace) -> Option<Bounds> {
        self.0.get(&key(place)).copied()
    }
}

/// The file, locked against others who raise it.
pub struct LockedFloors<'a> {
    path: &'a Path,
    kek: &'a dyn KekProvider,
    floors: Floors,
    _lock: File,
}

impl<'a> LockedFloors<'a> {
    /// Waits for the lock, but not for ever, and reads the file; the first secret of all begins it.
    pub async fn begin(path: &'a Path, kek: &'a dyn KekProvider) -> Result<Self, FloorError> {
        let beside = path.with_added_extension("lock");
        let io = |source| FileError::Io { path: beside.clone(), source };
        let lock = File::options().create(true).append(true).open(&beside).map_err(io)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(FloorError::Locked(beside)),
                Err(TryLockError::Error(error)) => return Err(io(error).into()),
            }
        }
        let floors = match Floors::read(path, kek) {
            Err(FloorError::Missing(_)) => Floors::default(),
            read => read?,
        };
        Ok(Self { path, kek, floors, _lock: lock })
    }

    /// The bounds so far.
    pub fn bounds(&self, place: &SecretPlace) -> Bounds {
        // Default: a secret that never was has no version, and its first may be 1.
        self.floors.of(place).unwrap_or(Bounds { lowest: 1, newest: 0 })
    }

    /// Raises the bounds of a secret; they never sink.
    pub fn raise(mut self, place: &SecretPlace, to: Bounds) -> Result<(), FloorError> {
        let sealed = |source| FloorError::Sealed { path: self.path.to_owned(), source };
        let Bounds { lowest, newest } = self.bounds(place);
        let raised = Bounds { lowest: lowest.max(to.lowest), newest: newest.max(to.newest) };
        self.floors.0.insert(key(place), raised);
        let text = serde_json::to_vec(&self.floors.0).map_err(|_| sealed(EnvelopeError::Malformed))?;
        let record = envelope::seal(self.kek, &CONTEXT, &text).map_err(sealed)?;
        // Written beside and renamed, so that a reader sees the old file or the new one.
        let new = self.path.with_added_extension(crypto::random::token(6));
        let io = |source| FileError::Io { path: self.path.to_owned(), source };
        files::write_new_secret(&new, &record)?;
        std::fs::rename(&new, self.path).map_err(io)?;
        // Default: a bare name lies here.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?)
    }
}

fn key(place: &SecretPlace) -> String {
    format!("{}/{}", place.provider, place.id)
}

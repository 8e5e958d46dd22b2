//! Writing secrets: `broker seal-secret` and `broker retire-secret`.

use std::path::Path;

use chrono::{DateTime, Utc};
use crypto::SecretString;
use crypto::envelope::{self, EnvelopeError, KekError, KekProvider};
use storage::{Pool, Retry, StorageError};
use thiserror::Error;

use super::floor::{Bounds, FloorError, LockedFloors};
use super::place::{Placement, SecretPlace};
use super::store::{self, Version};
use crate::operations::scrub::{MAX_SECRET, MIN_SECRET};
use crate::webhooks::signature;

/// What secrets are written with.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// The table, as the role that seals.
    pub pool: &'a Pool,
    /// Seals records and the floor.
    pub kek: &'a dyn KekProvider,
    /// The file of the floors.
    pub floor_file: &'a Path,
    pub now: DateTime<Utc>,
}

/// Why a secret was not sealed or retired.
#[derive(Debug, Error)]
pub enum SealError {
    /// Names are lower-case letters, digits, `-` and `_`.
    #[error("provider and id are 1 to 64 lower-case letters, digits, - and _")]
    Name,
    /// Too short to be a secret, and to be searched for in answers, or too long for a header.
    #[error("a secret has {MIN_SECRET} to {MAX_SECRET} bytes of visible ASCII")]
    Weak,
    /// No webhook could be verified with it.
    #[error("a secret of Standard Webhooks is whsec_ and base64 of 24 to 64 bytes")]
    Webhook,
    /// A version that never was.
    #[error("there is no version {asked} to retire: the newest is {newest}")]
    Version {
        /// What was to be retired.
        asked: i32,
        newest: i32,
    },
    /// There are no more numbers.
    #[error("the secret has had too many versions")]
    Exhausted,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Floor(#[from] FloorError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retry for SealError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

/// Seals a new version; answers it. What is older than the one before is destroyed, and that one, too, if it does not open for
/// this place.
///
/// The floor rises after the table has changed. If that fails, brokers refuse the secret until `retire-secret` is run again.
pub async fn seal(writer: Writer<'_>, place: &SecretPlace, secret: &SecretString) -> Result<u32, SealError> {
    let Writer { pool, kek, floor_file, now } = writer;
    let text = secret.expose().as_bytes();
    if !is_name(place.provider.as_str()) || !is_name(place.id.as_str()) {
        return Err(SealError::Name);
    }
    // It becomes part of a header, where anything else would be an injection.
    if !(MIN_SECRET..=MAX_SECRET).contains(&text.len()) || !text.iter().all(u8::is_ascii_graphic) {
        return Err(SealError::Weak);
    }
    if place.placement == Placement::StandardWebhooks && signature::parse_secret(secret.expose()).is_none() {
        return Err(SealError::Webhook);
    }
    let locked = LockedFloors::begin(floor_file, kek).await?;
    let known = locked.bounds(place);
    let (version, destroyed) = storage::transaction(pool, "secrets.seal", async |db| {
        let newest = store::newest(db, place).await?.max(known.newest);
        let version = newest.checked_add(1).ok_or(SealError::Exhausted)?;
        let live = store::live(db, place).await?;
        let destroyed = if opens(kek, place, version - 1, &live)? { version - 2 } else { version - 1 };
        let destroyed = destroyed.max(known.lowest - 1);
        store::retire(db, place, destroyed, now).await?;
        let record = place.context(version.unsigned_abs(), |context| envelope::seal(kek, context, text))?;
        store::insert(db, place, &Version { version, record: Some(record) }, now).await?;
        Ok::<_, SealError>((version, destroyed))
    })
    .await?;
    locked.raise(place, Bounds { lowest: destroyed + 1, newest: version })?;
    Ok(version.unsigned_abs())
}

/// Whether the version, if it is live, opens for this place. One that does not (another origin, an old format) would stop the use of
/// the new one, too. Whether it does is not guessed when the key cannot be had.
fn opens(kek: &dyn KekProvider, place: &SecretPlace, version: i32, live: &[Version]) -> Result<bool, SealError> {
    let Some(known) = live.iter().find(|known| known.version == version) else {
        return Ok(true);
    };
    // Default: a row without a record opens for nothing.
    let record = known.record.as_deref().unwrap_or_default();
    match place.context(version.unsigned_abs(), |context| envelope::open(kek, context, record)) {
        Ok(_) => Ok(true),
        Err(error @ EnvelopeError::Kek(KekError::Unknown { .. } | KekError::Unavailable(_))) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// Retires every live version up to and including `version`, destroys their records and raises the floor above it; tells how many
/// were live. Running it again repairs a floor that was left behind.
pub async fn retire(writer: Writer<'_>, place: &SecretPlace, version: u32) -> Result<usize, SealError> {
    let Writer { pool, kek, floor_file, now } = writer;
    // Default: higher than every version, and refused as such.
    let asked = i32::try_from(version).unwrap_or(i32::MAX);
    let locked = LockedFloors::begin(floor_file, kek).await?;
    let (retired, newest) = storage::transaction(pool, "secrets.retire", async |db| {
        let newest = store::newest(db, place).await?;
        if asked > newest {
            // The floor would rise above versions that are yet to come.
            return Err(SealError::Version { asked, newest });
        }
        Ok((store::retire(db, place, asked, now).await?, newest))
    })
    .await?;
    locked.raise(place, Bounds { lowest: asked.checked_add(1).ok_or(SealError::Exhausted)?, newest })?;
    Ok(retired)
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

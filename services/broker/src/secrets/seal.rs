//! Writing secrets: `broker seal-secret` and `broker retire-secret`.

use chrono::{DateTime, Utc};
use crypto::SecretString;
use crypto::envelope::{self, Context, EnvelopeError, KekProvider};
use storage::{Pool, Retry, StorageError};
use thiserror::Error;

use super::{purpose, store};
use crate::operations::scrub::MIN_SECRET;

/// Which secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// The provider.
    pub provider: &'a str,
    /// The id that its manifest names.
    pub id: &'a str,
}

/// Why a secret was not sealed.
#[derive(Debug, Error)]
pub enum SealError {
    /// Names are lower-case letters, digits, `-` and `_`.
    #[error("provider and id are 1 to 64 lower-case letters, digits, - and _")]
    Name,
    /// Too short to be a secret, and to be searched for in answers.
    #[error("a secret has at least {MIN_SECRET} bytes of visible ASCII")]
    Weak,
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retry for SealError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

/// Seals a new version and retires what is older than the one before; answers the version.
pub async fn seal(
    pool: &Pool,
    kek: &dyn KekProvider,
    name: Name<'_>,
    secret: &SecretString,
    now: DateTime<Utc>,
) -> Result<u32, SealError> {
    let Name { provider, id } = name;
    if !is_name(provider) || !is_name(id) {
        return Err(SealError::Name);
    }
    let text = secret.expose().as_bytes();
    // It becomes part of a header, where anything else would be an injection.
    if text.len() < MIN_SECRET || !text.iter().all(u8::is_ascii_graphic) {
        return Err(SealError::Weak);
    }
    storage::transaction(pool, "secrets.seal", async |db| {
        let newest = store::newest(db, provider, id).await?;
        let version = newest + 1;
        store::retire(db, (provider, id, newest - 1), now).await?;
        let number = version.unsigned_abs();
        let record = envelope::seal(kek, &Context { purpose: &purpose(provider), id, version: number }, text)?;
        store::insert(db, (provider, id, version), &record, now).await?;
        Ok(number)
    })
    .await
}

/// Retires every live version up to and including `version` and destroys their records; tells how many.
pub async fn retire(pool: &Pool, name: Name<'_>, version: u32, now: DateTime<Utc>) -> Result<usize, SealError> {
    let Name { provider, id } = name;
    let version = i32::try_from(version).unwrap_or(i32::MAX);
    storage::transaction(pool, "secrets.retire", async |db| Ok(store::retire(db, (provider, id, version), now).await?))
        .await
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

//! Envelope encryption at rest: AES-256-GCM under a data key (DEK) of its own per record, the data key wrapped by a
//! key-encryption key (KEK) that a [`KekProvider`] keeps.
//!
//! Record (lengths big endian); the format is 01, or 02 when the context is bound to a place:
//! ```text
//! format | len8 kek_id | len16 wrapped_dek | salt 32 | commitment 32 | nonce 12 | ciphertext | tag 16
//! ```
//! Invariants:
//! - every record has a fresh DEK, so nonces cannot collide and no counter has to be kept (SP 800-38D §8.3);
//! - the context (format, purpose, id, version, place) is authenticated twice, by the wrapping and by the record, as a
//!   length-prefixed encoding: a record moved to another row or place, or an old version put over a new one, does not open;
//! - the DEK is committed to. GCM alone is not committing: a ciphertext can be made that opens under two keys. Encryption
//!   key and commitment are both derived from DEK and salt, and the commitment is compared before decrypting.

use std::fmt;
use std::path::Path;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use thiserror::Error;

use crate::files::FileError;
use crate::{Secret, SecretBytes, b64, files, hash, random};

/// The format of a record that is bound to no place, and of one that is.
const PLAIN: u8 = 1;
const BOUND: u8 = 2;
const FORMAT: &[u8] = b"redoubt-envelope";
const SALT: usize = 32;
const COMMITMENT: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;

/// What a record is about. All of it is authenticated, none of it is stored in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// What the plaintext is for, such as `provider/<name>` or `totp-seed`.
    pub purpose: &'a str,
    /// Which row it belongs to.
    pub id: &'a str,
    /// Which version of the row.
    pub version: u32,
    /// Where the plaintext may be used, such as the origin that a key is for and its place in a request; empty: not said.
    pub bound_to: &'a [&'a str],
}

impl Context<'_> {
    fn format(&self) -> u8 {
        if self.bound_to.is_empty() { PLAIN } else { BOUND }
    }
}

/// Why a record cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// Not a record of the format that the context needs.
    #[error("not an envelope record of a known format")]
    Malformed,
    /// The record says nothing about where its plaintext may be used.
    #[error("the record is of format 1, which is bound to no place; seal the secret again")]
    Unbound,
    /// The key-encryption key does not open the data key.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The data key is not the one the record was made with.
    #[error("the record does not belong to its data key")]
    Commitment,
    /// Wrong context or changed ciphertext.
    #[error("the record does not open")]
    Open,
    /// The plaintext or a field is too long.
    #[error("too long to seal")]
    TooLong,
}

impl EnvelopeError {
    /// A stable word for the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "record_malformed",
            Self::Unbound => "record_unbound",
            Self::Kek(error) => error.reason(),
            Self::Commitment => "commitment_mismatch",
            Self::Open => "record_unauthentic",
            Self::TooLong => "record_too_long",
        }
    }
}

/// Why a key-encryption key refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KekError {
    /// The provider has no such key.
    #[error("unknown key-encryption key {id}")]
    Unknown {
        /// The id in the record.
        id: String,
    },
    /// The wrapped key does not open: another key, another context, or changed bytes.
    #[error("the data key does not unwrap")]
    Refused,
    /// The provider cannot be reached.
    #[error("the key provider is unavailable: {0}")]
    Unavailable(String),
}

impl KekError {
    /// A stable word for the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "kek_unknown",
            Self::Refused => "dek_unauthentic",
            Self::Unavailable(_) => "kek_unavailable",
        }
    }
}

/// Keeps key-encryption keys and never shows them: a file, an HSM, a KMS.
pub trait KekProvider: Send + Sync {
    /// The id of the key that wraps now; written into records, no secret, at most 255 bytes.
    fn id(&self) -> &str;
    /// Wraps a data key, bound to `aad`.
    fn wrap(&self, dek: &[u8; 32], aad: &[u8]) -> Result<Vec<u8>, KekError>;
    /// Unwraps what [`KekProvider::wrap`] made under the key `kek_id` and the same `aad`.
    fn unwrap(&self, kek_id: &str, wrapped: &[u8], aad: &[u8]) -> Result<Secret<[u8; 32]>, KekError>;
}

/// A key-encryption key from a file (development, or a file mounted by a secret store).
pub struct FileKek {
    id: String,
    key: Secret<[u8; 32]>,
}

impl FileKek {
    /// Reads the key: 32 raw bytes or one line of base64url, readable by its owner only.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, FileError> {
        files::read_key(path).map(Self::from_key)
    }

    /// Takes a key from elsewhere. The id is derived from the key, so a changed file is noticed as an unknown key.
    pub fn from_key(key: Secret<[u8; 32]>) -> Self {
        let fingerprint = hash::hmac_sha256(key.expose(), b"redoubt-kek-id");
        // Default: never empty, an HMAC has 32 bytes.
        let id = format!("file:{}", b64::encode(fingerprint.get(..9).unwrap_or_default()));
        Self { id, key }
    }
}

impl fmt::Debug for FileKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKek").field("id", &self.id).finish_non_exhaustive()
    }
}

impl KekProvider for FileKek {
    fn id(&self) -> &str {
        &self.id
    }

    fn wrap(&self, dek: &[u8; 32], aad: &[u8]) -> Result<Vec<u8>, KekError> {
        let nonce = random::bytes::<NONCE>();
        let sealed = encrypt(self.key.expose(), &nonce, dek, aad).ok_or(KekError::Refused)?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn unwrap(&self, kek_id: &str, wrapped: &[u8], aad: &[u8]) -> Result<Secret<[u8; 32]>, KekError> {
        if kek_id != self.id {
            return Err(KekError::Unknown { id: kek_id.to_owned() });
        }
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>().ok_or(KekError::Refused)?;
        let dek = decrypt(self.key.expose(), nonce, sealed, aad).ok_or(KekError::Refused)?;
        dek.expose().as_slice().try_into().map(Secret::new).map_err(|_| KekError::Refused)
    }
}

/// Seals `plaintext` for `context` under a fresh data key.
pub fn seal(kek: &dyn KekProvider, context: &Context<'_>, plaintext: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let aad = context_aad(context);
    let dek = Secret::new(random::bytes::<32>());
    let salt = random::bytes::<SALT>();
    let nonce = random::bytes::<NONCE>();
    let (key, commitment) = derive(&dek, &salt, &aad);
    let sealed = encrypt(key.expose(), &nonce, plaintext, &aad).ok_or(EnvelopeError::TooLong)?;
    let mut record = head(kek, &dek, context.format(), &aad)?;
    for part in [&salt[..], &commitment, &nonce, &sealed] {
        record.extend_from_slice(part);
    }
    Ok(record)
}

/// Opens a record that was sealed for the same `context`.
pub fn open(kek: &dyn KekProvider, context: &Context<'_>, record: &[u8]) -> Result<SecretBytes, EnvelopeError> {
    let aad = context_aad(context);
    let record = Record::of(context, record)?;
    let dek = kek.unwrap(record.kek_id, record.wrapped, &wrap_aad(record.kek_id, &aad))?;
    let (key, commitment) = derive(&dek, record.salt, &aad);
    if !hash::constant_time_eq(&commitment, record.commitment) {
        return Err(EnvelopeError::Commitment);
    }
    decrypt(key.expose(), record.nonce, record.sealed, &aad).ok_or(EnvelopeError::Open)
}

struct Record<'a> {
    format: u8,
    kek_id: &'a str,
    wrapped: &'a [u8],
    salt: &'a [u8; SALT],
    commitment: &'a [u8; COMMITMENT],
    nonce: &'a [u8; NONCE],
    sealed: &'a [u8],
}

impl<'a> Record<'a> {
    fn parse(record: &'a [u8]) -> Result<Self, EnvelopeError> {
        Self::read(record).ok_or(EnvelopeError::Malformed)
    }

    /// A record in the format that the context needs.
    fn of(context: &Context<'_>, record: &'a [u8]) -> Result<Self, EnvelopeError> {
        let parsed = Self::parse(record)?;
        match (parsed.format, context.format()) {
            (has, needs) if has == needs => Ok(parsed),
            (PLAIN, BOUND) => Err(EnvelopeError::Unbound),
            _ => Err(EnvelopeError::Malformed),
        }
    }

    fn read(record: &'a [u8]) -> Option<Self> {
        let (&[format @ (PLAIN | BOUND), length], rest) = record.split_first_chunk()? else { return None };
        let (kek_id, rest) = rest.split_at_checked(usize::from(length))?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (wrapped, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (salt, rest) = rest.split_first_chunk()?;
        let (commitment, rest) = rest.split_first_chunk()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        if sealed.len() < TAG {
            return None;
        }
        let kek_id = std::str::from_utf8(kek_id).ok()?;
        Some(Self { format, kek_id, wrapped, salt, commitment, nonce, sealed })
    }
}

fn head(kek: &dyn KekProvider, dek: &Secret<[u8; 32]>, format: u8, aad: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let id = kek.id();
    let wrapped = kek.wrap(dek.expose(), &wrap_aad(id, aad))?;
    let id_length = u8::try_from(id.len()).map_err(|_| EnvelopeError::TooLong)?;
    let wrapped_length = u16::try_from(wrapped.len()).map_err(|_| EnvelopeError::TooLong)?;
    let mut out = vec![format, id_length];
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(&wrapped_length.to_be_bytes());
    out.extend_from_slice(&wrapped);
    Ok(out)
}

/// The encryption key and the commitment. The context enters both.
fn derive(dek: &Secret<[u8; 32]>, salt: &[u8; SALT], aad: &[u8]) -> (Secret<[u8; 32]>, [u8; COMMITMENT]) {
    let info = |label: &[u8]| hash::length_prefixed([FORMAT, label, &hash::sha256(aad)]);
    let mut key = Secret::new([0; 32]);
    let mut commitment = [0; COMMITMENT];
    hash::hkdf_sha256(dek.expose(), salt, &info(b"encrypt"), key.expose_mut());
    hash::hkdf_sha256(dek.expose(), salt, &info(b"commit"), &mut commitment);
    (key, commitment)
}

fn context_aad(context: &Context<'_>) -> Vec<u8> {
    let (format, version) = ([context.format()], context.version.to_be_bytes());
    let mut parts = vec![FORMAT, &format, context.purpose.as_bytes(), context.id.as_bytes(), &version];
    parts.extend(context.bound_to.iter().map(|place| place.as_bytes()));
    hash::length_prefixed(parts)
}

fn wrap_aad(kek_id: &str, context: &[u8]) -> Vec<u8> {
    hash::length_prefixed([&b"wrap"[..], kek_id.as_bytes(), context])
}

fn encrypt(key: &[u8; 32], nonce: &[u8; NONCE], msg: &[u8], aad: &[u8]) -> Option<Vec<u8>> {
    let cipher = Aes256Gcm::new(<&Key<Aes256Gcm>>::from(key));
    cipher.encrypt(<&Nonce<_>>::from(nonce), Payload { msg, aad }).ok()
}

fn decrypt(key: &[u8; 32], nonce: &[u8; NONCE], msg: &[u8], aad: &[u8]) -> Option<SecretBytes> {
    let cipher = Aes256Gcm::new(<&Key<Aes256Gcm>>::from(key));
    cipher.decrypt(<&Nonce<_>>::from(nonce), Payload { msg, aad }).ok().map(SecretBytes::new)
}

#[cfg(test)]
mod tests;

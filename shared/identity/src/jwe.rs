//! Compact JWE (RFC 7516) of one kind: ECDH-ES on P-256, A256GCM, to one recipient.
//!
//! Invariants:
//! - the token is measured before it is decoded;
//! - `alg`, `enc` and `typ` are what the house uses, and the header has its seven members and no other: nothing is compressed, nothing is skipped;
//! - no member twice, base64url in its one spelling, five parts of which the second is empty;
//! - the recipient's key is found by its thumbprint (RFC 7638), which is its `kid` everywhere;
//! - whoever reads the plaintext has named both parties first: what the header says of them is compared, not believed.

use crypto::agreement::{AgreementKey, Content, ENC, Parties};
use crypto::p256::PublicKey;
use crypto::{SecretBytes, b64, hash};
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{Jwk, json};

/// A longer token is refused before it is decoded: what is sealed here is short.
pub const MAX_BYTES: usize = 2 * 1024;
/// `alg`: the agreed key encrypts the content itself (RFC 7518 §4.6).
const ALG: &str = "ECDH-ES";
const MEMBERS: [&str; 7] = ["alg", "enc", "typ", "kid", "epk", "apu", "apv"];

/// Why a JWE is refused, or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JweError {
    /// Longer than [`MAX_BYTES`].
    #[error("the token is too large")]
    TooLarge,
    /// Not a compact JWE, or its header is not a JSON object with each member once.
    #[error("the token is malformed")]
    Malformed,
    /// Another key management or content encryption.
    #[error("unexpected alg or enc")]
    Alg,
    /// Another type than the one expected.
    #[error("unexpected typ")]
    Typ,
    /// The header has a member beyond those of the house: `zip`, `crit` or any other.
    #[error("unsupported header extension")]
    Extension,
    /// `epk` is not a public P-256 key.
    #[error("the ephemeral key is not a public P-256 key")]
    Ephemeral,
    /// Sealed to a key that is not, or no longer, here.
    #[error("sealed to an unknown key")]
    Recipient,
    /// The producer is not the one expected.
    #[error("sealed by or for somebody else")]
    Producer,
    /// The purpose is not the one expected.
    #[error("sealed for another purpose")]
    Purpose,
    /// It does not open.
    #[error("the token does not open")]
    Open,
}

impl JweError {
    /// A stable word for the audit log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::Alg => "alg_unexpected",
            Self::Typ => "typ_unexpected",
            Self::Extension => "extension_unsupported",
            Self::Ephemeral => "ephemeral_key_invalid",
            Self::Recipient => "key_unknown",
            Self::Producer => "context_mismatch",
            Self::Purpose => "purpose_mismatch",
            Self::Open => "does_not_open",
        }
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    enc: &'static str,
    typ: &'a str,
    kid: &'a str,
    epk: Value,
    apu: String,
    apv: String,
}

/// Seals `plaintext` to the holder of `recipient`.
///
/// # Errors
///
/// It is too long, or the key cannot be agreed.
pub fn seal(recipient: &PublicKey, typ: &str, parties: &Parties<'_>, plaintext: &[u8]) -> Result<String, JweError> {
    let (ephemeral, kid) = (AgreementKey::generate(), Jwk::from(recipient.clone()).thumbprint());
    let header = Header {
        alg: ALG,
        enc: ENC,
        typ,
        kid: kid.as_str(),
        epk: Jwk::from(ephemeral.public()).to_value(),
        apu: b64::encode(parties.producer),
        apv: b64::encode(parties.recipient),
    };
    let header = b64::encode(&serde_json::to_vec(&header).map_err(|_| JweError::Malformed)?);
    let key = ephemeral.agree(recipient, parties).map_err(|_| JweError::Open)?;
    let Content { iv, ciphertext, tag } = key.seal(header.as_bytes(), plaintext).map_err(|_| JweError::Open)?;
    // ECDH-ES has no encrypted key (RFC 7516 §5.1 step 6).
    let token = format!("{header}..{}.{}.{}", b64::encode(&iv), b64::encode(&ciphertext), b64::encode(&tag));
    if token.len() > MAX_BYTES { Err(JweError::TooLarge) } else { Ok(token) }
}

/// Opens a JWE of that type which is sealed to one of `keys`, by and for these parties.
///
/// # Errors
///
/// It is not, and the error says what is wrong: to the operator, not to who has sent it.
pub fn open<'k>(
    token: &str,
    typ: &str,
    keys: impl IntoIterator<Item = &'k RecipientKey>,
    parties: &Parties<'_>,
) -> Result<SecretBytes, JweError> {
    if token.len() > MAX_BYTES {
        return Err(JweError::TooLarge);
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [header, "", iv, ciphertext, tag] = parts.as_slice() else { return Err(JweError::Malformed) };
    let decode = |part: &str| b64::decode(part).map_err(|_| JweError::Malformed);
    let content = Content {
        iv: decode(iv)?.try_into().map_err(|_| JweError::Malformed)?,
        ciphertext: decode(ciphertext)?,
        tag: decode(tag)?.try_into().map_err(|_| JweError::Malformed)?,
    };
    let read = Read::header(&decode(header)?, typ)?;
    let key = keys.into_iter().find(|key| key.kid == read.kid).ok_or(JweError::Recipient)?;
    if !hash::constant_time_eq(&read.apv, parties.recipient) {
        return Err(JweError::Purpose);
    }
    if !hash::constant_time_eq(&read.apu, parties.producer) {
        return Err(JweError::Producer);
    }
    let agreed = key.key.agree(&read.epk, parties).map_err(|_| JweError::Ephemeral)?;
    agreed.open(header.as_bytes(), &content).map_err(|_| JweError::Open)
}

/// A private key that is sealed to, with its name.
#[derive(Debug)]
pub struct RecipientKey {
    kid: String,
    key: AgreementKey,
}

impl RecipientKey {
    /// The public half, as others are told it.
    pub fn public(&self) -> Jwk {
        self.key.public().into()
    }
}

impl From<AgreementKey> for RecipientKey {
    fn from(key: AgreementKey) -> Self {
        Self { kid: Jwk::from(key.public()).thumbprint().to_string(), key }
    }
}

/// What a header says, before anything of it is believed.
struct Read {
    kid: String,
    epk: PublicKey,
    apu: Vec<u8>,
    apv: Vec<u8>,
}

impl Read {
    fn header(bytes: &[u8], typ: &str) -> Result<Self, JweError> {
        let value = json::parse_unique(bytes).map_err(|_| JweError::Malformed)?;
        let members = value.as_object().ok_or(JweError::Malformed)?;
        if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(JweError::Extension);
        }
        if text(members, "alg")? != ALG || text(members, "enc")? != ENC {
            return Err(JweError::Alg);
        }
        if text(members, "typ")? != typ {
            return Err(JweError::Typ);
        }
        let epk = members.get("epk").ok_or(JweError::Malformed)?;
        let party = |name| b64::decode(text(members, name)?).map_err(|_| JweError::Malformed);
        Ok(Self {
            kid: text(members, "kid")?.to_owned(),
            epk: Jwk::from_value(epk).map_err(|_| JweError::Ephemeral)?.into(),
            apu: party("apu")?,
            apv: party("apv")?,
        })
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, JweError> {
    members.get(name).and_then(Value::as_str).ok_or(JweError::Malformed)
}

#[cfg(test)]
mod tests;

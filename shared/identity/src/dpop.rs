//! `DPoP` (RFC 9449): proof that the caller holds the device key, for one method, one URL and one access token.
//!
//! [`verify`] does every check of §4.3 that needs no memory. What is left to the caller, in this order: the nonce
//! ([`Nonces`]), then the comparison of `jkt` with the token's `cnf`, and last the single use of
//! [`Verified::replay_key`] ([`crate::replay`]): last, so that nobody can use up another's identifier with a bad proof.

use std::fmt;
use std::sync::Arc;

use crypto::{b64, hash, random};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::jose::{self, Header, JoseError, UnverifiedHeader};
use crate::{DeviceSigner, Jwk, Thumbprint};

/// The `typ` of a proof (RFC 9449 §4.2).
pub const TYP: &str = "dpop+jwt";
/// How old a proof may be, in seconds.
pub const MAX_AGE: i64 = 60;
/// How far ahead a phone's clock may be, in seconds.
pub const MAX_AHEAD: i64 = 10;
const MAX_JTI_BYTES: usize = 128;

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DpopError {
    /// Not a valid JWS of a proof's kind.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// The header has no `jwk`.
    #[error("the proof names no key")]
    JwkMissing,
    /// `jti` is empty or too long.
    #[error("jti is empty or too long")]
    Jti,
    /// `htm` is another method.
    #[error("htm does not match")]
    Method,
    /// `htu` is another URL.
    #[error("htu does not match")]
    Uri,
    /// `iat` is outside the window.
    #[error("iat is outside the window")]
    IssuedAt,
    /// There is an access token and no `ath`.
    #[error("ath is missing")]
    AthMissing,
    /// `ath` is of another access token.
    #[error("ath does not match")]
    AthMismatch,
}

impl DpopError {
    /// A stable word for the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Jose(error) => error.reason(),
            Self::JwkMissing => "jwk_missing",
            Self::Jti => "jti_invalid",
            Self::Method => "htm_mismatch",
            Self::Uri => "htu_mismatch",
            Self::IssuedAt => "iat_outside_window",
            Self::AthMissing => "ath_missing",
            Self::AthMismatch => "ath_mismatch",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

/// Makes a proof. `access_token` is given when one is sent along; `jti` is at least 96 random bits.
pub fn create(
    key: &dyn DeviceSigner,
    htm: &str,
    htu: &str,
    iat: i64,
    jti: &str,
    access_token: Option<&str>,
    nonce: Option<&str>,
) -> Result<String, JoseError> {
    let claims = Claims {
        jti: jti.to_owned(),
        htm: htm.to_owned(),
        htu: htu.to_owned(),
        iat,
        ath: access_token.map(ath),
        nonce: nonce.map(str::to_owned),
    };
    jose::sign_es256(key, &Header::new(TYP).with_jwk(key.public()), &claims)
}

/// The hash that binds a proof to an access token (RFC 9449 §4.2).
pub fn ath(access_token: &str) -> String {
    b64::encode(&hash::sha256(access_token.as_bytes()))
}

/// What the server knows about the request.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The method, as received.
    pub htm: &'a str,
    /// The URL under which clients reach this resource.
    pub htu: &'a str,
    /// The access token that came along.
    pub access_token: Option<&'a str>,
    /// Unix seconds.
    pub now: i64,
}

/// A proof that holds for this request, as far as can be told without memory.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The thumbprint of the key that signed.
    pub jkt: Thumbprint,
    /// The key that signed.
    pub jwk: Jwk,
    /// The identifier to be used once.
    pub jti: String,
    /// When the proof was made.
    pub iat: i64,
    /// The server nonce it carries.
    pub nonce: Option<String>,
}

impl Verified {
    /// What must be fresh in the replay memory: the identifier, in the name space of its key.
    pub fn replay_key(&self) -> String {
        format!("{}|{}", self.jkt, self.jti)
    }

    /// Until when the replay memory must remember it.
    pub fn replay_until(&self) -> i64 {
        self.iat.saturating_add(MAX_AGE)
    }
}

/// Verifies a proof (RFC 9449 §4.3, without the nonce and the replay check).
pub fn verify(proof: &str, expect: &Expect<'_>) -> Result<Verified, DpopError> {
    check(&jose::parse(proof, TYP)?, None, expect)
}

/// The headers of proofs that were good: an instance writes the same one each time, and its key need be read once. A full memory forgets the one
/// that was used longest ago, which costs no more than to read it again.
pub struct KnownHeaders(Cache<Box<str>, Arc<(UnverifiedHeader, Thumbprint)>>);

impl KnownHeaders {
    /// Bytes of a header that is kept; those of ours have some 250.
    const LONGEST: usize = 512;

    /// Room for `capacity` headers.
    pub fn new(capacity: u64) -> Self {
        Self(Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build())
    }

    /// As [`verify`].
    pub fn verify(&self, proof: &str, expect: &Expect<'_>) -> Result<Verified, DpopError> {
        let parts = jose::Parts::of(proof)?;
        let text = parts.header;
        if let Some(known) = self.0.get(text) {
            let (header, jkt) = &*known;
            return check(&parts.under(header.clone())?, Some(jkt), expect);
        }
        let proof = jose::parse(proof, TYP)?;
        let verified = check(&proof, None, expect)?;
        if text.len() <= Self::LONGEST {
            self.0.insert(text.into(), Arc::new((proof.header().clone(), verified.jkt.clone())));
        }
        Ok(verified)
    }
}

impl fmt::Debug for KnownHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownHeaders").finish_non_exhaustive()
    }
}

/// `jkt` is the thumbprint of the header's key, where it is known.
fn check(proof: &jose::Unverified<'_>, jkt: Option<&Thumbprint>, expect: &Expect<'_>) -> Result<Verified, DpopError> {
    let jwk = proof.header().jwk.clone().ok_or(DpopError::JwkMissing)?;
    let claims: Claims = proof.verify_es256(jwk.public_key())?;
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err(DpopError::Jti);
    }
    if claims.htm != expect.htm {
        return Err(DpopError::Method);
    }
    match (normalize(&claims.htu), normalize(expect.htu)) {
        (Some(htu), Some(expected)) if htu == expected => {}
        _ => return Err(DpopError::Uri),
    }
    let age = expect.now.saturating_sub(claims.iat);
    if !(-MAX_AHEAD..=MAX_AGE).contains(&age) {
        return Err(DpopError::IssuedAt);
    }
    if let Some(token) = expect.access_token {
        let claimed = claims.ath.ok_or(DpopError::AthMissing)?;
        if !hash::constant_time_eq(claimed.as_bytes(), ath(token).as_bytes()) {
            return Err(DpopError::AthMismatch);
        }
    }
    // Default: it is made now.
    let jkt = jkt.cloned().unwrap_or_else(|| jwk.thumbprint());
    Ok(Verified { jkt, jwk, jti: claims.jti, iat: claims.iat, nonce: claims.nonce })
}

/// An http(s) URL without query and fragment, normalised by syntax and scheme (RFC 3986 §6.2.2, §6.2.3).
///
/// Dot segments are left as they are: they only ever make two URLs differ, which refuses.
fn normalize(url: &str) -> Option<String> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let rest = rest.split(['?', '#']).next()?;
    // Default: an authority alone has the path `/` (RFC 9110 §4.2.3).
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    Some(format!("{scheme}://{authority}{}", normalize_escapes(path)?))
}

/// Upper-case escapes, and none for characters that need none (RFC 3986 §6.2.2.1, §6.2.2.2).
fn normalize_escapes(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&digits.to_ascii_uppercase());
        }
        out.push_str(rest);
    }
    Some(out)
}

/// Seconds for which one nonce is handed out.
pub const BUCKET: i64 = 300;

/// Server nonces (RFC 9449 §8) of one process: a proof cannot be made before the server has spoken.
///
/// No memory: a nonce is a MAC over the current five-minute bucket under a key that this process drew at start, and
/// the previous bucket is still accepted. The key is per process *on purpose*: a proof taken by one process cannot be
/// replayed to another, so the replay memory of one process is complete for what it accepts.
pub struct Nonces {
    key: crypto::Secret<[u8; 32]>,
}

impl Nonces {
    /// Draws the key.
    #[expect(clippy::new_without_default, reason = "draws randomness, which a default should not")]
    pub fn new() -> Self {
        Self { key: crypto::Secret::new(random::bytes()) }
    }

    /// The nonce to hand out now.
    pub fn current(&self, now: i64) -> String {
        self.nonce(now.div_euclid(BUCKET))
    }

    /// Whether a nonce was handed out in this bucket or the one before.
    pub fn accepts(&self, nonce: &str, now: i64) -> bool {
        let bucket = now.div_euclid(BUCKET);
        let is = |bucket| hash::constant_time_eq(self.nonce(bucket).as_bytes(), nonce.as_bytes());
        is(bucket) | is(bucket.saturating_sub(1))
    }

    fn nonce(&self, bucket: i64) -> String {
        let mac = hash::hmac_sha256(self.key.expose(), &bucket.to_be_bytes());
        // Default: never empty, an HMAC has 32 bytes.
        b64::encode(mac.get(..16).unwrap_or_default())
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(redacted)")
    }
}

#[cfg(test)]
mod tests;

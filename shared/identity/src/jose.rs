//! Compact JWS (RFC 7515), as strict as one house can be with itself.
//!
//! Invariants (RFC 8725, JWT best current practice):
//! - the token is measured before it is decoded;
//! - `alg` and `typ` are what the caller expects (`typ` as the media type that it is); the key decides the algorithm, never the token;
//! - `crit`, `b64`, `zip` and `enc` are refused: an extension that is not understood must not be skipped;
//! - no member twice, base64url in its one spelling, three parts;
//! - claims are reachable only through a verification.

use crypto::p256::PublicKey;
use crypto::{b64, hash};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::{DeviceSigner, Jwk, SignError, json};

/// A longer token is refused before it is decoded.
pub const MAX_BYTES: usize = 8 * 1024;
const MAX_KID_BYTES: usize = 256;

/// Why a JWS is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoseError {
    /// Longer than [`MAX_BYTES`].
    #[error("the token is too large")]
    TooLarge,
    /// Not a compact JWS, or its header is not a JSON object with each member once.
    #[error("the token is malformed")]
    Malformed,
    /// Another algorithm than the one expected.
    #[error("unexpected alg")]
    Alg,
    /// Another type than the one expected.
    #[error("unexpected typ")]
    Typ,
    /// The header asks for an extension.
    #[error("unsupported header extension")]
    Critical,
    /// The header's `jwk` is not a public P-256 key.
    #[error("the header's jwk is not a public P-256 key")]
    Jwk,
    /// The signature or MAC does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// The claims are not what this type of token carries.
    #[error("the claims are malformed")]
    Claims,
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl JoseError {
    /// A stable word for the audit log.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::Alg => "alg_unexpected",
            Self::Typ => "typ_unexpected",
            Self::Critical => "extension_unsupported",
            Self::Jwk => "jwk_invalid",
            Self::Signature => "signature_invalid",
            Self::Claims => "claims_malformed",
            Self::Sign(_) => "key_unavailable",
        }
    }
}

/// The algorithms of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Alg {
    /// ECDSA P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

/// The header to sign under; `alg` is added by the signing function.
#[derive(Debug, Clone, Default)]
pub struct Header {
    typ: String,
    kid: Option<String>,
    jwk: Option<Jwk>,
}

impl Header {
    /// A header of one type.
    pub fn new(typ: impl Into<String>) -> Self {
        Self { typ: typ.into(), ..Self::default() }
    }

    /// Names the key.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Embeds the public key.
    #[must_use]
    pub fn with_jwk(mut self, jwk: Jwk) -> Self {
        self.jwk = Some(jwk);
        self
    }
}

/// Signs claims with ES256.
pub fn sign_es256(key: &dyn DeviceSigner, header: &Header, claims: &impl Serialize) -> Result<String, JoseError> {
    let input = signing_input(Alg::Es256, header, claims)?;
    let signature = key.sign(input.as_bytes())?;
    Ok(format!("{input}.{}", b64::encode(&signature)))
}

/// Authenticates claims with HS256.
pub fn sign_hs256(key: &[u8], header: &Header, claims: &impl Serialize) -> Result<String, JoseError> {
    let input = signing_input(Alg::Hs256, header, claims)?;
    let mac = hash::hmac_sha256(key, input.as_bytes());
    Ok(format!("{input}.{}", b64::encode(&mac)))
}

fn signing_input(alg: Alg, header: &Header, claims: &impl Serialize) -> Result<String, JoseError> {
    #[derive(Serialize)]
    struct Wire<'a> {
        alg: &'static str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        jwk: Option<&'a Jwk>,
    }
    let wire = Wire { alg: alg.into(), typ: &header.typ, kid: header.kid.as_deref(), jwk: header.jwk.as_ref() };
    let header = serde_json::to_vec(&wire).map_err(|_| JoseError::Malformed)?;
    let claims = serde_json::to_vec(claims).map_err(|_| JoseError::Claims)?;
    Ok(format!("{}.{}", b64::encode(&header), b64::encode(&claims)))
}

/// What an unverified header says; good for choosing a key and for nothing else.
#[derive(Debug, Clone)]
pub struct UnverifiedHeader {
    /// The algorithm; verification compares it with the key's.
    pub alg: Alg,
    /// The type, already compared with the expected one.
    pub typ: Option<String>,
    /// The name of the key.
    pub kid: Option<String>,
    /// The embedded key (`DPoP`).
    pub jwk: Option<Jwk>,
}

/// A well-formed JWS of the expected type whose signature nobody has looked at yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    header: UnverifiedHeader,
    signing_input: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Takes a compact JWS apart. `typ` must be the given media type.
pub fn parse<'a>(token: &'a str, typ: &str) -> Result<Unverified<'a>, JoseError> {
    parse_where(token, |actual| actual.is_some_and(|actual| is_type(actual, typ)))
}

/// Takes a client's assertion apart (RFC 7523 §2.2), for which no `typ` was defined for long: absent, `JWT` or
/// `client-authentication+jwt` (draft-ietf-oauth-rfc7523bis).
pub fn parse_client_assertion(token: &str) -> Result<Unverified<'_>, JoseError> {
    let types = ["JWT", "client-authentication+jwt"];
    parse_where(token, |typ| typ.is_none_or(|typ| types.iter().any(|known| is_type(typ, known))))
}

/// Whether `typ` names that type (RFC 7515 §4.1.9): media types have no case, and `application/` may be left out before a name
/// that has no other slash.
fn is_type(typ: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";
    let prefixed = typ.split_at_checked(PREFIX.len()).filter(|(prefix, _)| prefix.eq_ignore_ascii_case(PREFIX));
    // Default: a type without the prefix is written out already (RFC 7515 §4.1.9).
    prefixed.map_or(typ, |(_, name)| name).eq_ignore_ascii_case(expected)
}

fn parse_where(token: &str, expected: impl Fn(Option<&str>) -> bool) -> Result<Unverified<'_>, JoseError> {
    let parts = Parts::of(token)?;
    let header = UnverifiedHeader::parse(&decode(parts.header)?)?;
    if !expected(header.typ.as_deref()) {
        return Err(JoseError::Typ);
    }
    parts.under(header)
}

fn decode(part: &str) -> Result<Vec<u8>, JoseError> {
    b64::decode(part).map_err(|_| JoseError::Malformed)
}

/// A compact JWS in its parts, none of which is decoded.
pub(crate) struct Parts<'a> {
    pub(crate) header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signing_input: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(token: &'a str) -> Result<Self, JoseError> {
        if token.len() > MAX_BYTES {
            return Err(JoseError::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JoseError::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JoseError::Malformed)?;
        Ok(Self { header, payload, signature, signing_input })
    }

    /// With its header, read from these very bytes.
    pub(crate) fn under(self, header: UnverifiedHeader) -> Result<Unverified<'a>, JoseError> {
        let Self { signing_input, .. } = self;
        Ok(Unverified { header, signing_input, payload: decode(self.payload)?, signature: decode(self.signature)? })
    }
}

impl UnverifiedHeader {
    fn parse(bytes: &[u8]) -> Result<Self, JoseError> {
        let value = json::parse_unique(bytes).map_err(|_| JoseError::Malformed)?;
        let members = value.as_object().ok_or(JoseError::Malformed)?;
        if ["crit", "b64", "zip", "enc"].iter().any(|name| members.contains_key(*name)) {
            return Err(JoseError::Critical);
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(JoseError::Malformed),
        };
        let alg = text("alg")?.and_then(|alg| alg.parse().ok()).ok_or(JoseError::Alg)?;
        let kid = text("kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(JoseError::Malformed);
        }
        let jwk = members.get("jwk").map(Jwk::from_value).transpose().map_err(|_| JoseError::Jwk)?;
        Ok(Self { alg, typ: text("typ")?, kid, jwk })
    }
}

impl Unverified<'_> {
    /// The header; see [`UnverifiedHeader`].
    pub fn header(&self) -> &UnverifiedHeader {
        &self.header
    }

    /// Verifies an ES256 signature and reads the claims.
    pub fn verify_es256<T: DeserializeOwned>(&self, key: &PublicKey) -> Result<T, JoseError> {
        if self.header.alg != Alg::Es256 {
            return Err(JoseError::Alg);
        }
        key.verify(self.signing_input.as_bytes(), &self.signature).map_err(|_| JoseError::Signature)?;
        self.unverified_claims()
    }

    /// Verifies an HS256 MAC and reads the claims.
    pub fn verify_hs256<T: DeserializeOwned>(&self, key: &[u8]) -> Result<T, JoseError> {
        if self.header.alg != Alg::Hs256 {
            return Err(JoseError::Alg);
        }
        if !hash::hmac_verify(key, self.signing_input.as_bytes(), &self.signature) {
            return Err(JoseError::Signature);
        }
        self.unverified_claims()
    }

    /// The claims as anybody may have written them: only to find the key of a client that names itself in them.
    pub fn unverified_claims<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        let value = json::parse_unique(&self.payload).map_err(|_| JoseError::Claims)?;
        serde_json::from_value(value).map_err(|_| JoseError::Claims)
    }
}

#[cfg(test)]
mod tests;

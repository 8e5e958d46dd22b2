//! Attestation tokens: *what* calls. HS256, `typ` `redoubt-attestation+jwt`, five minutes at most, `kid` = [`KeyId`].
//!
//! A MAC and not a signature, because a phone must not be able to tell a genuine token from a decoy. Only the
//! attestation service and the API of the audience know the audience's secret, which changes every epoch (an hour) and
//! is derived from a master key by [`audience_secret`]. The session key of a token is derived from its `jti` by
//! [`session_key`], so that an API finds it without a look-up.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use api::{ClientId, SupportId};
use crypto::{SecretBytes, b64, hash};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::jose::{self, Header, JoseError};
use crate::verified::{self, Known, Memory};
use crate::{App, Cnf, Level, TokenError, token};

pub use crate::token::MAX_LIFETIME;

/// The `typ` of an attestation token.
pub const TYP: &str = "redoubt-attestation+jwt";
/// The `iss` of everything the attestation service issues.
pub const ISSUER: &str = "urn:redoubt:attestation";
/// Seconds of one epoch.
pub const EPOCH: i64 = 3600;
/// How long after its epoch a key is still accepted: the life of a token, and clocks that differ.
const GRACE: i64 = MAX_LIFETIME + 60;

/// What an attestation token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Always [`ISSUER`].
    pub iss: String,
    /// The API it is for, such as `ledger`.
    pub aud: String,
    /// Issued at.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub iat: i64,
    /// Not accepted from here on.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub exp: i64,
    /// Identifier; also names the session key.
    pub jti: String,
    /// Thumbprint of the device key (RFC 7800 `cnf`).
    pub cnf: Cnf,
    /// The OAuth client that this instance is.
    pub client_id: ClientId,
    /// The app that the evidence names, with its build.
    pub app: App,
    /// How well the device key is kept.
    pub level: Level,
    /// The policy that was applied.
    pub policy: String,
    /// Under which the operator finds the verdict.
    pub support_id: SupportId,
}

/// What names a key: the generation of the master that it is derived from, and its epoch. As `kid`: both in decimal, a period between them.
///
/// With the generation in it a master can be replaced while tokens under the old one are still out: `7.495833` and `8.495833` are two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId {
    /// Which master: its number in the configuration.
    pub generation: u32,
    /// The epoch ([`epoch_of`]).
    pub epoch: u32,
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.generation, self.epoch)
    }
}

impl FromStr for KeyId {
    type Err = TokenError;

    /// Only the canonical spelling names a key: no sign, no leading zero.
    fn from_str(kid: &str) -> Result<Self, TokenError> {
        let parse = || {
            let (generation, epoch) = kid.split_once('.')?;
            Some(Self { generation: generation.parse().ok()?, epoch: epoch.parse().ok()? })
        };
        parse().filter(|id| id.to_string() == kid).ok_or(TokenError::UnknownKey)
    }
}

/// What audience secrets are derived from. A new one has a new generation.
#[derive(Debug, Clone)]
pub struct Master {
    generation: u32,
    secret: SecretBytes,
}

impl Master {
    /// Of at least 32 random bytes.
    pub const fn new(generation: u32, secret: SecretBytes) -> Self {
        Self { generation, secret }
    }

    /// The number that key ids show.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The bytes, for other keys that are derived from it.
    pub const fn secret(&self) -> &SecretBytes {
        &self.secret
    }

    /// The key of `audience` in an epoch.
    pub fn key(&self, audience: &str, epoch: u32) -> AudienceKey {
        let id = KeyId { generation: self.generation, epoch };
        AudienceKey { id, secret: audience_secret(self.secret.expose(), audience, epoch), not_after: not_after(epoch) }
    }
}

/// The key of one epoch.
#[derive(Debug, Clone)]
pub struct AudienceKey {
    /// `kid` of tokens.
    pub id: KeyId,
    /// Key of the MAC, for one audience and one epoch.
    pub secret: SecretBytes,
    /// Unix seconds after which no token under it is accepted.
    pub not_after: i64,
}

/// The keys of one audience: of each master the previous, the current and the next epoch.
#[derive(Debug, Clone, Default)]
pub struct AudienceKeys {
    /// In no particular order.
    pub keys: Vec<AudienceKey>,
    /// Those of decoys. Nothing under them is accepted; a token under one was made by us for somebody whose evidence was refused.
    decoys: Vec<AudienceKey>,
}

impl AudienceKeys {
    /// The three keys of `audience` around `now`, from each master.
    pub fn derive(masters: &[Master], audience: &str, now: i64) -> Self {
        let current = epoch_of(now);
        let epochs = current.saturating_sub(1)..=current.saturating_add(1);
        let keys = masters.iter().flat_map(|master| epochs.clone().map(|epoch| master.key(audience, epoch)));
        Self { keys: keys.collect(), decoys: Vec::new() }
    }

    /// With the keys by which decoys are known, which are derived from `masters` likewise.
    #[must_use]
    pub fn with_decoys(self, masters: &[Master], audience: &str, now: i64) -> Self {
        Self { decoys: Self::derive(masters, audience, now).keys, ..self }
    }

    /// As the verifier of `audience` gets them.
    pub fn to_wire(&self, audience: &str) -> api::internal::AudienceKeys {
        let key = |key: &AudienceKey| api::internal::AudienceKey {
            generation: key.id.generation,
            epoch: key.id.epoch,
            secret: b64::encode(key.secret.expose()),
            not_after: key.not_after,
        };
        let (keys, decoys) = (self.keys.iter().map(key).collect(), self.decoys.iter().map(key).collect());
        api::internal::AudienceKeys { audience: audience.to_owned(), keys, decoys }
    }

    /// The key of this name, unless its time is over.
    pub fn get(&self, id: KeyId, now: i64) -> Option<&AudienceKey> {
        self.keys.iter().find(|key| key.id == id && now <= key.not_after)
    }

    /// Verifies a token under the key that it names.
    pub(crate) fn verify<T: DeserializeOwned>(&self, token: &jose::Unverified<'_>, now: i64) -> Result<T, TokenError> {
        let key = self.by_kid(token.header().kid.as_deref(), now)?;
        match token.verify_hs256(key.secret.expose()) {
            Err(JoseError::Signature) if self.is_decoy(token, key.id) => Err(TokenError::Decoy),
            verified => Ok(verified?),
        }
    }

    fn is_decoy(&self, token: &jose::Unverified<'_>, id: KeyId) -> bool {
        let made = |key: &AudienceKey| token.verify_hs256::<IgnoredAny>(key.secret.expose()).is_ok();
        self.decoys.iter().any(|key| key.id == id && made(key))
    }

    /// The key that a `kid` names.
    pub(crate) fn by_kid(&self, kid: Option<&str>, now: i64) -> Result<&AudienceKey, TokenError> {
        let id = kid.ok_or(TokenError::UnknownKey)?.parse()?;
        self.get(id, now).ok_or(TokenError::UnknownKey)
    }
}

impl TryFrom<&api::internal::AudienceKeys> for AudienceKeys {
    type Error = b64::DecodeError;

    fn try_from(wire: &api::internal::AudienceKeys) -> Result<Self, Self::Error> {
        let key = |key: &api::internal::AudienceKey| {
            let secret = SecretBytes::new(b64::decode(&key.secret)?);
            let id = KeyId { generation: key.generation, epoch: key.epoch };
            Ok(AudienceKey { id, secret, not_after: key.not_after })
        };
        let (keys, decoys) = (wire.keys.iter().map(key), wire.decoys.iter().map(key));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, decoys: decoys.collect::<Result<_, _>>()? })
    }
}

/// Issues an attestation token under the key of an epoch.
pub fn issue(key: &AudienceKey, claims: &Claims) -> Result<String, TokenError> {
    token::check_lifetime(claims.iat, claims.exp)?;
    let header = Header::new(TYP).with_kid(key.id.to_string());
    Ok(jose::sign_hs256(key.secret.expose(), &header, claims)?)
}

/// An attestation token that somebody shows.
pub type Presented<'a> = verified::Presented<'a, SecretBytes, Claims>;

/// A memory of attestation tokens whose MAC is good.
#[derive(Debug)]
pub struct VerifiedTokens(Memory<SecretBytes, Claims>);

impl VerifiedTokens {
    /// Room for `capacity` tokens.
    pub fn new(capacity: u64) -> Self {
        Self(Memory::new(capacity))
    }

    /// Takes a token apart, unless it is known. Fails if it is no JWS of this type.
    pub fn look<'a>(&self, token: &'a str) -> Result<Presented<'a>, TokenError> {
        Ok(self.0.look(token, TYP)?)
    }

    /// Verifies it for `audience`, and derives the session key that belongs to it. A MAC that was checked before is not checked again.
    pub fn verify(
        &self,
        token: &Presented<'_>,
        keys: &AudienceKeys,
        audience: &str,
        now: i64,
    ) -> Result<(Arc<Claims>, SecretBytes), TokenError> {
        let key = keys.by_kid(token.kid(), now)?;
        let secret = key.secret.expose();
        let known = token.known(|verified_with| hash::constant_time_eq(verified_with.expose(), secret));
        let claims = match known {
            Some(claims) => Arc::clone(claims),
            None => Arc::new(token.anew(TYP, |jws| keys.verify(jws, now))?),
        };
        check_claims(&claims, audience, now)?;
        if known.is_none() {
            let known = Known { kid: key.id.to_string(), key: key.secret.clone(), claims: Arc::clone(&claims) };
            self.0.remember(token.text(), known);
        }
        let session = session_key(secret, &claims.jti);
        Ok((claims, session))
    }
}

impl Presented<'_> {
    /// The key that it names, to be fetched.
    pub fn key_id(&self) -> Result<KeyId, TokenError> {
        self.kid().ok_or(TokenError::UnknownKey)?.parse()
    }

    /// The support id that it names; see [`crate::claimed_support_id`].
    pub fn claimed_support_id(&self) -> Option<String> {
        match self {
            Self::Known(_, known) => Some(known.claims.support_id.to_string()),
            Self::New(_, jws) => token::support_id(jws),
        }
    }
}

fn check_claims(claims: &Claims, audience: &str, now: i64) -> Result<(), TokenError> {
    if claims.iss != ISSUER {
        return Err(TokenError::Issuer);
    }
    if claims.aud != audience {
        return Err(TokenError::Audience);
    }
    token::check_times(claims.iat, claims.exp, now)
}

/// Verifies an attestation token for `audience`.
pub fn verify(token: &str, keys: &AudienceKeys, audience: &str, now: i64) -> Result<Claims, TokenError> {
    verify_with_session_key(token, keys, audience, now).map(|(claims, _)| claims)
}

/// Verifies an attestation token and derives the session key that belongs to it.
pub fn verify_with_session_key(
    token: &str,
    keys: &AudienceKeys,
    audience: &str,
    now: i64,
) -> Result<(Claims, SecretBytes), TokenError> {
    let jws = jose::parse(token, TYP)?;
    let key = keys.by_kid(jws.header().kid.as_deref(), now)?;
    let claims: Claims = keys.verify(&jws, now)?;
    check_claims(&claims, audience, now)?;
    let session = session_key(key.secret.expose(), &claims.jti);
    Ok((claims, session))
}

/// The session key of a token: `HMAC(audience secret, "session|" jti)`.
///
/// A JWS signing input never contains `|`, so no token's MAC is a session key.
pub fn session_key(secret: &[u8], jti: &str) -> SecretBytes {
    SecretBytes::new(hash::hmac_sha256(secret, format!("session|{jti}").as_bytes()).to_vec())
}

/// The secret of an audience in an epoch, derived from the master key (HKDF, RFC 5869).
pub fn audience_secret(master: &[u8], audience: &str, epoch: u32) -> SecretBytes {
    // The epoch has a fixed length and stands first, so the encoding is unambiguous.
    let info = [&epoch.to_be_bytes()[..], audience.as_bytes()].concat();
    let mut secret = [0; 32];
    hash::hkdf_sha256(master, b"redoubt-audience-secret-v1", &info, &mut secret);
    SecretBytes::new(secret.to_vec())
}

/// The epoch of a moment; the first one for moments before 1970.
pub fn epoch_of(now: i64) -> u32 {
    // Default: the last epoch that has a number.
    u32::try_from(now.max(0) / EPOCH).unwrap_or(u32::MAX)
}

/// Until when the key of an epoch is accepted.
pub fn not_after(epoch: u32) -> i64 {
    (i64::from(epoch) + 1) * EPOCH + GRACE
}

#[cfg(test)]
mod tests;

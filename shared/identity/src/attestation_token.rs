//! Attestation tokens: *what* calls. HS256, `typ` `redoubt-attestation+jwt`, five minutes at most, `kid` = epoch.
//!
//! A MAC and not a signature, because a phone must not be able to tell a genuine token from a decoy. Only the
//! attestation service and the API of the audience know the audience's secret, which changes every epoch (an hour) and
//! is derived from a master key by [`audience_secret`]. The session key of a token is derived from its `jti` by
//! [`session_key`], so that an API finds it without a look-up.

use crypto::{SecretBytes, b64, hash};
use serde::{Deserialize, Serialize};

use crate::jose::{self, Header};
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
    /// The device key.
    pub cnf: Cnf,
    /// The OAuth client that this instance is.
    pub client_id: String,
    /// The attested app.
    pub app: App,
    /// How well the device key is kept.
    pub level: Level,
    /// The policy that was applied.
    pub policy: String,
    /// Under which the operator finds the verdict.
    pub support_id: String,
}

/// The key of one epoch.
#[derive(Debug, Clone)]
pub struct AudienceKey {
    /// The epoch; `kid` of tokens.
    pub epoch: u32,
    /// The secret.
    pub secret: SecretBytes,
    /// Unix seconds after which no token under it is accepted.
    pub not_after: i64,
}

/// The keys of one audience: the previous, the current and the next epoch.
#[derive(Debug, Clone, Default)]
pub struct AudienceKeys {
    /// In no particular order.
    pub keys: Vec<AudienceKey>,
}

impl AudienceKeys {
    /// The three keys of `audience` around `now`, derived from the master key.
    pub fn derive(master: &[u8], audience: &str, now: i64) -> Self {
        let current = epoch_of(now);
        let epochs = current.saturating_sub(1)..=current.saturating_add(1);
        let keys = epochs.map(|epoch| AudienceKey {
            epoch,
            secret: audience_secret(master, audience, epoch),
            not_after: not_after(epoch),
        });
        Self { keys: keys.collect() }
    }

    /// The key of an epoch, unless its time is over.
    pub fn get(&self, epoch: u32, now: i64) -> Option<&AudienceKey> {
        self.keys.iter().find(|key| key.epoch == epoch && now <= key.not_after)
    }

    /// The key that a `kid` names. Only the canonical decimal spelling names an epoch.
    pub(crate) fn by_kid(&self, kid: Option<&str>, now: i64) -> Result<&AudienceKey, TokenError> {
        kid.and_then(|kid| kid.parse().ok().filter(|epoch: &u32| epoch.to_string() == kid))
            .and_then(|epoch| self.get(epoch, now))
            .ok_or(TokenError::UnknownKey)
    }
}

impl TryFrom<&api::internal::AudienceKeys> for AudienceKeys {
    type Error = b64::DecodeError;

    fn try_from(wire: &api::internal::AudienceKeys) -> Result<Self, Self::Error> {
        let key = |key: &api::internal::AudienceKey| {
            let secret = SecretBytes::new(b64::decode(&key.secret)?);
            Ok(AudienceKey { epoch: key.epoch, secret, not_after: key.not_after })
        };
        Ok(Self { keys: wire.keys.iter().map(key).collect::<Result<_, _>>()? })
    }
}

/// Issues an attestation token under the key of an epoch.
pub fn issue(key: &AudienceKey, claims: &Claims) -> Result<String, TokenError> {
    token::check_lifetime(claims.iat, claims.exp)?;
    let header = Header::new(TYP).with_kid(key.epoch.to_string());
    Ok(jose::sign_hs256(key.secret.expose(), &header, claims)?)
}

/// Verifies an attestation token for `audience`.
pub fn verify(token: &str, keys: &AudienceKeys, audience: &str, now: i64) -> Result<Claims, TokenError> {
    verify_with_key(token, keys, audience, now).map(|(claims, _)| claims)
}

/// Verifies an attestation token and derives the session key that belongs to it.
pub fn verify_with_session_key(
    token: &str,
    keys: &AudienceKeys,
    audience: &str,
    now: i64,
) -> Result<(Claims, SecretBytes), TokenError> {
    let (claims, key) = verify_with_key(token, keys, audience, now)?;
    let session = session_key(key.secret.expose(), &claims.jti);
    Ok((claims, session))
}

fn verify_with_key<'k>(
    token: &str,
    keys: &'k AudienceKeys,
    audience: &str,
    now: i64,
) -> Result<(Claims, &'k AudienceKey), TokenError> {
    let token = jose::parse(token, TYP)?;
    let key = keys.by_kid(token.header().kid.as_deref(), now)?;
    let claims: Claims = token.verify_hs256(key.secret.expose())?;
    if claims.iss != ISSUER {
        return Err(TokenError::Issuer);
    }
    if claims.aud != audience {
        return Err(TokenError::Audience);
    }
    token::check_times(claims.iat, claims.exp, now)?;
    Ok((claims, key))
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
    u32::try_from(now.max(0) / EPOCH).unwrap_or(u32::MAX)
}

/// Until when the key of an epoch is accepted.
pub fn not_after(epoch: u32) -> i64 {
    (i64::from(epoch) + 1) * EPOCH + GRACE
}

#[cfg(test)]
mod tests;

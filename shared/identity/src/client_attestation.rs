//! Client attestation (draft-ietf-oauth-attestation-based-client-auth): what the authorization server is shown.
//!
//! HS256 with the secret of audience `auth`, for the same reason as the attestation token: a phone must not be able to
//! tell a decoy (the draft permits a MAC). Used in the combined mode: the proof of possession is the `DPoP` proof, whose
//! key must be the one in `cnf`.

use api::{ClientId, SupportId};
use serde::{Deserialize, Serialize};

use crate::attestation_token::{AudienceKey, AudienceKeys};
use crate::jose::{self, Header};
use crate::{App, Jwk, Level, TokenError, token};

pub use crate::token::MAX_LIFETIME;

/// The `typ` of a client attestation.
pub const TYP: &str = "oauth-client-attestation+jwt";

/// `cnf` with the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The device key; public members only.
    pub jwk: Jwk,
}

/// What a client attestation says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The `client_id` that this instance is.
    pub sub: ClientId,
    /// Issued at.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub iat: i64,
    /// Not accepted from here on.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub exp: i64,
    /// Identifier of this attestation, unique at the issuer.
    pub jti: String,
    /// The device key itself (RFC 7800 `cnf.jwk`).
    pub cnf: Confirmation,
    /// The app that the evidence names, with its build.
    pub app: App,
    /// How well the device key is kept.
    pub level: Level,
    /// Under which the operator finds the verdict.
    pub support_id: SupportId,
}

/// Issues a client attestation under the `auth` key of an epoch.
pub fn issue(key: &AudienceKey, claims: &Claims) -> Result<String, TokenError> {
    token::check_lifetime(claims.iat, claims.exp)?;
    let header = Header::new(TYP).with_kid(key.id.to_string());
    Ok(jose::sign_hs256(key.secret.expose(), &header, claims)?)
}

/// Verifies a client attestation. Compare `sub` with the `client_id` and `cnf.jwk` with the proof's key next.
pub fn verify(token: &str, keys: &AudienceKeys, now: i64) -> Result<Claims, TokenError> {
    let token = jose::parse(token, TYP)?;
    let claims: Claims = keys.verify(&token, now)?;
    token::check_times(claims.iat, claims.exp, now)?;
    Ok(claims)
}

#[cfg(test)]
mod tests;

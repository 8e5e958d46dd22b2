//! Access tokens (RFC 9068): *who* calls. ES256, `typ` `at+jwt`, five minutes at most, bound to the device key by
//! `cnf.jkt` (RFC 9449 §6.1): of no use without a `DPoP` proof of that key.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::ClientId;
use api::approvals::ApprovedPayment;
use crypto::p256::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jose::{self, Header};
use crate::jwk::{Jwk, JwkError};
use crate::verified::{self, Known, Memory};
use crate::{Cnf, Instance, TokenError, json, token};

pub use crate::token::MAX_LIFETIME;

/// The `typ` of an access token (RFC 9068 §2.1).
pub const TYP: &str = "at+jwt";
const MAX_KEYS: usize = 32;
/// Characters of a subject (OpenID Connect Core §2: 255 of ASCII at most).
const MAX_SUB: usize = 255;

/// What an access token says (RFC 9068 §2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// URL of the authorization server.
    pub iss: String,
    /// The user (pseudonymous).
    pub sub: String,
    /// The one API it is for.
    pub aud: String,
    /// The OAuth client to which the token was issued.
    pub client_id: ClientId,
    /// Space-separated scopes.
    pub scope: String,
    /// Issued at.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub iat: i64,
    /// Not accepted from here on.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub exp: i64,
    /// Identifier of this token, unique at the issuer.
    pub jti: String,
    /// When the user last authenticated.
    #[serde(deserialize_with = "crate::numeric_date::deserialize")]
    pub auth_time: i64,
    /// The device key it is bound to.
    pub cnf: Cnf,
    /// How the user authenticated (RFC 9068 §2.2.1), where that was for more than a login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods the user authenticated (RFC 9068 §2.2.1, values of RFC 8176). Empty where the issuer does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// What the user has approved (RFC 9396 §9.1): one payment, or nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<ApprovedPayment>,
    /// Of an instance of an app: how long it has acted for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// Since when the user has had the second factor that they have shown for this; none where they have shown none, or one that stands in for it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::numeric_date::deserialize_option"
    )]
    pub factor_since: Option<i64>,
}

impl Claims {
    /// The scopes, one by one.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ').filter(|scope| !scope.is_empty())
    }
}

/// What a resource server demands of an access token.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The authorization server, exactly.
    pub issuer: &'a str,
    /// This API, exactly.
    pub audience: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// Issues an access token.
pub fn issue(key: &SigningKey, kid: &str, claims: &Claims) -> Result<String, TokenError> {
    token::check_lifetime(claims.iat, claims.exp)?;
    Ok(jose::sign_es256(key, &Header::new(TYP).with_kid(kid), claims)?)
}

/// Verifies an access token (RFC 9068 §4). The binding is checked by comparing `cnf.jkt` with the proof's key.
pub fn verify(token: &str, keys: &KeySet, expect: &Expect<'_>) -> Result<Claims, TokenError> {
    let jws = jose::parse(token, TYP)?;
    let key = jws.header().kid.as_deref().and_then(|kid| keys.get(kid)).ok_or(TokenError::UnknownKey)?;
    let claims = jws.verify_es256(key)?;
    check_claims(&claims, expect)?;
    Ok(claims)
}

fn check_claims(claims: &Claims, expect: &Expect<'_>) -> Result<(), TokenError> {
    if claims.iss != expect.issuer {
        return Err(TokenError::Issuer);
    }
    if claims.aud != expect.audience {
        return Err(TokenError::Audience);
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUB || !claims.sub.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Subject);
    }
    // Whoever reads the one would not see the other.
    if claims.authorization_details.len() > 1 {
        return Err(TokenError::Details);
    }
    token::check_times(claims.iat, claims.exp, expect.now)
}

/// An access token that somebody shows.
pub type Presented<'a> = verified::Presented<'a, PublicKey, Claims>;

/// A memory of access tokens whose signature is good.
#[derive(Debug)]
pub struct VerifiedTokens(Memory<PublicKey, Claims>);

impl VerifiedTokens {
    /// Room for `capacity` tokens.
    pub fn new(capacity: u64) -> Self {
        Self(Memory::new(capacity))
    }

    /// Takes a token apart, unless it is known. Fails if it is no JWS of this type.
    pub fn look<'a>(&self, token: &'a str) -> Result<Presented<'a>, TokenError> {
        Ok(self.0.look(token, TYP)?)
    }

    /// As [`verify`], but a signature that was checked before is not checked again.
    pub fn verify(&self, token: &Presented<'_>, keys: &KeySet, expect: &Expect<'_>) -> Result<Arc<Claims>, TokenError> {
        let kid = token.kid().ok_or(TokenError::UnknownKey)?;
        let key = keys.get(kid).ok_or(TokenError::UnknownKey)?;
        if let Some(claims) = token.known(|verified_with| verified_with == key) {
            check_claims(claims, expect)?;
            return Ok(Arc::clone(claims));
        }
        let claims: Arc<Claims> = Arc::new(token.anew(TYP, |jws| Ok::<_, TokenError>(jws.verify_es256(key)?))?);
        check_claims(&claims, expect)?;
        self.0.remember(token.text(), Known { kid: kid.to_owned(), key: key.clone(), claims: Arc::clone(&claims) });
        Ok(claims)
    }
}

/// Public keys by name, as a JWKS document (RFC 7517 §5) gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(BTreeMap<String, PublicKey>);

impl KeySet {
    /// Reads a JWKS document. Keys of other kinds are skipped (RFC 7517 §5); a P-256 key that is private, unnamed or
    /// named like another is an error, because then the document is not what its author believes.
    pub fn from_jwks(text: &str) -> Result<Self, JwkError> {
        let document = json::parse_unique(text.as_bytes()).map_err(|_| JwkError::document("not JSON"))?;
        Self::from_value(&document)
    }

    /// As [`KeySet::from_jwks`], from parsed JSON.
    pub fn from_value(document: &Value) -> Result<Self, JwkError> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or_else(|| JwkError::document("no keys"))?;
        if keys.len() > MAX_KEYS {
            return Err(JwkError::document("too many keys"));
        }
        let mut set = Self::default();
        for key in keys.iter().filter(|key| is_p256_signature_key(key)) {
            let jwk = Jwk::from_value(key)?;
            let kid = jwk.kid().ok_or_else(|| JwkError::document("a key has no kid"))?;
            if set.0.insert(kid.to_owned(), jwk.public_key().clone()).is_some() {
                return Err(JwkError::document("two keys have one kid"));
            }
        }
        Ok(set)
    }

    /// Adds a key, in place of one of the same `kid`.
    pub fn insert(&mut self, kid: impl Into<String>, key: PublicKey) {
        self.0.insert(kid.into(), key);
    }

    /// The key of that name.
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.get(kid)
    }

    /// All keys with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.0.iter().map(|(kid, key)| (kid.as_str(), key))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The set as a JWKS document.
    pub fn to_jwks(&self) -> Value {
        let keys: Vec<Value> = self.iter().map(|(kid, key)| Jwk::from(key.clone()).with_kid(kid).to_value()).collect();
        serde_json::json!({ "keys": keys })
    }
}

fn is_p256_signature_key(key: &Value) -> bool {
    let member = |name: &str| key.get(name).and_then(Value::as_str);
    member("kty") == Some("EC") && member("crv") == Some("P-256") && member("use").is_none_or(|usage| usage == "sig")
}

#[cfg(test)]
mod tests;

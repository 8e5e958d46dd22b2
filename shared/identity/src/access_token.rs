//! Access tokens (RFC 9068): *who* calls. ES256, `typ` `at+jwt`, five minutes at most, bound to the device key by
//! `cnf.jkt` (RFC 9449 §6.1): of no use without a `DPoP` proof of that key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use api::ClientId;
use crypto::hash;
use crypto::p256::{PublicKey, SigningKey};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jose::{self, Header};
use crate::jwk::{Jwk, JwkError};
use crate::{Cnf, TokenError, json, token};

pub use crate::token::MAX_LIFETIME;

/// The `typ` of an access token (RFC 9068 §2.1).
pub const TYP: &str = "at+jwt";
const MAX_KEYS: usize = 32;

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
    let (claims, _) = parse(token)?.verify_signature(keys)?;
    check_claims(&claims, expect)?;
    Ok(claims)
}

/// An access token that nobody has verified yet.
#[derive(Debug)]
pub struct Unverified<'a> {
    text: &'a str,
    jws: jose::Unverified<'a>,
    kid: String,
}

/// Takes an access token apart. Fails if it is no JWS of this type, or names no key.
pub fn parse(token: &str) -> Result<Unverified<'_>, TokenError> {
    let jws = jose::parse(token, TYP)?;
    let kid = jws.header().kid.clone().ok_or(TokenError::UnknownKey)?;
    Ok(Unverified { text: token, jws, kid })
}

impl Unverified<'_> {
    /// The name of its key, which has to be fetched.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it says, and its key; whether it is for us and valid now is [`check_claims`]'s to say.
    fn verify_signature<'k>(&self, keys: &'k KeySet) -> Result<(Claims, &'k PublicKey), TokenError> {
        let key = keys.get(&self.kid).ok_or(TokenError::UnknownKey)?;
        Ok((self.jws.verify_es256(key)?, key))
    }
}

fn check_claims(claims: &Claims, expect: &Expect<'_>) -> Result<(), TokenError> {
    if claims.iss != expect.issuer {
        return Err(TokenError::Issuer);
    }
    if claims.aud != expect.audience {
        return Err(TokenError::Audience);
    }
    token::check_times(claims.iat, claims.exp, expect.now)
}

/// Signatures checked before: a bounded memory of tokens whose signature is good. A session sends the same access token with every request for
/// minutes; its signature need be checked once, everything that can change is checked each time. To forget one costs a verification, so a full
/// memory forgets the one that was used longest ago: a token that is not sent any more, and never all of them at once.
///
/// What must hold: the outcome is that of [`verify`], for every token, key set and time. So an entry stands for one exact token (all its bytes)
/// under one exact key, and counts only while the key set still has that key under that name.
pub struct VerifiedTokens {
    entries: Cache<[u8; 32], Arc<Entry>>,
}

struct Entry {
    kid: String,
    key: PublicKey,
    claims: Claims,
}

impl VerifiedTokens {
    /// Room for `capacity` tokens.
    pub fn new(capacity: u64) -> Self {
        Self { entries: Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build() }
    }

    /// As [`verify`], but a signature that was checked before is not checked again.
    pub fn verify(&self, token: &Unverified<'_>, keys: &KeySet, expect: &Expect<'_>) -> Result<Claims, TokenError> {
        let name = hash::sha256(token.text.as_bytes());
        let known = self.entries.get(&name).filter(|entry| keys.get(&entry.kid) == Some(&entry.key));
        if let Some(entry) = known {
            check_claims(&entry.claims, expect)?;
            return Ok(entry.claims.clone());
        }
        let (claims, key) = token.verify_signature(keys)?;
        check_claims(&claims, expect)?;
        let entry = Entry { kid: token.kid.clone(), key: key.clone(), claims: claims.clone() };
        self.entries.insert(name, Arc::new(entry));
        Ok(claims)
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").finish_non_exhaustive()
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

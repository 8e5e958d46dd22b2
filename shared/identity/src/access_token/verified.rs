//! Signatures checked before. A session sends the same access token with every request for minutes; its signature need be
//! checked once, everything that can change is checked each time.
//!
//! What must hold: the outcome is that of [`super::verify`], for every token, key set and time. So an entry stands for one
//! exact token (all its bytes) under one exact key, and counts only while the key set still has that key under that name.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crypto::hash;
use crypto::p256::PublicKey;

use super::{Claims, Expect, KeySet, Unverified, check_claims};
use crate::TokenError;

/// A bounded memory of tokens whose signature is good. To forget one costs a verification, so a full memory drops what it has.
pub struct VerifiedTokens {
    entries: Mutex<HashMap<[u8; 32], Entry>>,
    capacity: usize,
}

struct Entry {
    kid: String,
    key: PublicKey,
    claims: Claims,
}

impl VerifiedTokens {
    /// Room for `capacity` tokens.
    pub fn new(capacity: usize) -> Self {
        Self { entries: Mutex::default(), capacity: capacity.max(1) }
    }

    /// As [`super::verify`].
    pub fn verify(&self, token: &Unverified<'_>, keys: &KeySet, expect: &Expect<'_>) -> Result<Claims, TokenError> {
        let name = hash::sha256(token.text.as_bytes());
        if let Some(claims) = self.known(&name, keys) {
            check_claims(&claims, expect)?;
            return Ok(claims);
        }
        let (claims, key) = token.verify_signature(keys)?;
        check_claims(&claims, expect)?;
        let (kid, key) = (token.kid.clone(), key.clone());
        self.remember(name, Entry { kid, key, claims: claims.clone() }, expect.now);
        Ok(claims)
    }

    fn known(&self, name: &[u8; 32], keys: &KeySet) -> Option<Claims> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(name)?;
        (keys.get(&entry.kid) == Some(&entry.key)).then(|| entry.claims.clone())
    }

    fn remember(&self, name: [u8; 32], entry: Entry, now: i64) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity {
            entries.retain(|_, entry| now < entry.claims.exp);
        }
        if entries.len() >= self.capacity {
            entries.clear();
        }
        entries.insert(name, entry);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl std::fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedTokens").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crypto::p256::SigningKey;

    use super::super::{issue, parse, verify};
    use super::*;
    use crate::Cnf;
    use crate::jwk::Jwk;

    const NOW: i64 = 1_800_000_000;
    const EXPECT: Expect<'static> =
        Expect { issuer: "https://auth.redoubt.example", audience: "urn:redoubt:ledger", now: NOW };

    struct Fixture {
        key: SigningKey,
        keys: KeySet,
        memory: VerifiedTokens,
    }

    impl Fixture {
        fn new() -> Self {
            let key = SigningKey::generate();
            let mut keys = KeySet::default();
            keys.insert("k1", key.public());
            Self { key, keys, memory: VerifiedTokens::new(4) }
        }

        fn token(&self, jti: &str) -> String {
            let claims = Claims {
                iss: EXPECT.issuer.into(),
                sub: "subject".into(),
                aud: EXPECT.audience.into(),
                client_id: "redoubt-mobile".into(),
                scope: "openid".into(),
                iat: NOW,
                exp: NOW + 300,
                jti: jti.into(),
                auth_time: NOW,
                cnf: Cnf { jkt: Jwk::from(self.key.public()).thumbprint() },
            };
            issue(&self.key, "k1", &claims).unwrap()
        }

        /// The memory must say what a verification from nothing says.
        fn agrees(&self, token: &str, keys: &KeySet, expect: &Expect<'_>) -> Result<Claims, TokenError> {
            let fresh = verify(token, keys, expect);
            let known = parse(token).and_then(|token| self.memory.verify(&token, keys, expect));
            assert_eq!(known, fresh);
            fresh
        }
    }

    #[test]
    fn a_known_token_verifies_again() {
        let fixture = Fixture::new();
        let token = fixture.token("a");
        for _ in 0..3 {
            assert!(fixture.agrees(&token, &fixture.keys, &EXPECT).is_ok());
        }
        assert_eq!(fixture.memory.len(), 1);
    }

    #[test]
    fn time_issuer_and_audience_are_checked_each_time() {
        let fixture = Fixture::new();
        let token = fixture.token("a");
        fixture.agrees(&token, &fixture.keys, &EXPECT).unwrap();
        for (expect, error) in [
            (Expect { now: NOW + 300, ..EXPECT }, TokenError::Expired),
            (Expect { now: NOW - 11, ..EXPECT }, TokenError::NotYetValid),
            (Expect { issuer: "https://other.example", ..EXPECT }, TokenError::Issuer),
            (Expect { audience: "urn:redoubt:broker", ..EXPECT }, TokenError::Audience),
        ] {
            assert_eq!(fixture.agrees(&token, &fixture.keys, &expect), Err(error));
        }
    }

    #[test]
    fn a_key_that_was_taken_back_ends_its_tokens_at_once() {
        let fixture = Fixture::new();
        let token = fixture.token("a");
        fixture.agrees(&token, &fixture.keys, &EXPECT).unwrap();
        assert_eq!(fixture.agrees(&token, &KeySet::default(), &EXPECT), Err(TokenError::UnknownKey));
        let mut replaced = KeySet::default();
        replaced.insert("k1", SigningKey::generate().public());
        assert!(matches!(fixture.agrees(&token, &replaced, &EXPECT), Err(TokenError::Jose(_))));
        let mut renamed = KeySet::default();
        renamed.insert("k2", fixture.key.public());
        assert_eq!(fixture.agrees(&token, &renamed, &EXPECT), Err(TokenError::UnknownKey));
    }

    #[test]
    fn a_changed_byte_makes_another_token() {
        let fixture = Fixture::new();
        let token = fixture.token("a");
        fixture.agrees(&token, &fixture.keys, &EXPECT).unwrap();
        let other = fixture.token("b");
        let (body, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = other.rsplit_once('.').unwrap();
        assert!(fixture.agrees(&format!("{body}.{signature}"), &fixture.keys, &EXPECT).is_err());
        assert!(fixture.agrees(&format!("{token}A"), &fixture.keys, &EXPECT).is_err());
    }

    #[test]
    fn what_is_refused_is_not_remembered_and_memory_is_bounded() {
        let fixture = Fixture::new();
        let late = Expect { now: NOW + 300, ..EXPECT };
        fixture.agrees(&fixture.token("late"), &fixture.keys, &late).unwrap_err();
        assert_eq!(fixture.memory.len(), 0);
        for number in 0..20 {
            fixture.agrees(&fixture.token(&number.to_string()), &fixture.keys, &EXPECT).unwrap();
            assert!((1..=4).contains(&fixture.memory.len()));
        }
    }
}

//! Each check by breaking one thing.

use super::*;
use crate::jose::JoseError;

const NOW: i64 = 1_800_000_000;
const EXPECT: Expect<'static> =
    Expect { issuer: "https://auth.redoubt.example", audience: "urn:redoubt:ledger", now: NOW };

struct Fixture {
    key: SigningKey,
    keys: KeySet,
}

impl Fixture {
    fn new() -> Self {
        let key = SigningKey::generate();
        let mut keys = KeySet::default();
        keys.insert("k1", key.public());
        Self { key, keys }
    }

    fn claims(&self) -> Claims {
        Claims {
            iss: EXPECT.issuer.into(),
            sub: "subject".into(),
            aud: EXPECT.audience.into(),
            client_id: "redoubt-mobile".into(),
            scope: "openid accounts:read".into(),
            iat: NOW,
            exp: NOW + 300,
            jti: "id".into(),
            auth_time: NOW - 5,
            cnf: Cnf { jkt: Jwk::from(self.key.public()).thumbprint() },
            acr: None,
            amr: Vec::new(),
            authorization_details: Vec::new(),
            instance: None,
            factor_since: None,
        }
    }

    fn verify(&self, claims: &Claims) -> Result<Claims, TokenError> {
        verify(&issue(&self.key, "k1", claims)?, &self.keys, &EXPECT)
    }
}

#[test]
fn an_issued_token_verifies() {
    let fixture = Fixture::new();
    let claims = fixture.claims();
    assert_eq!(fixture.verify(&claims), Ok(claims.clone()));
    assert_eq!(claims.scopes().collect::<Vec<_>>(), ["openid", "accounts:read"]);
}

#[test]
fn another_issuer_or_audience_is_refused() {
    let fixture = Fixture::new();
    let claims = Claims { iss: "https://auth.redoubt.example/".into(), ..fixture.claims() };
    assert_eq!(fixture.verify(&claims), Err(TokenError::Issuer));
    let claims = Claims { aud: "urn:redoubt:broker".into(), ..fixture.claims() };
    assert_eq!(fixture.verify(&claims), Err(TokenError::Audience));
}

/// `OpenID` Connect Core §2: at most 255 characters of ASCII. Whatever else a row is looked for by, no database takes.
#[test]
fn a_subject_that_is_none_is_refused_and_the_longest_is_taken() {
    let fixture = Fixture::new();
    let with = |sub: &str| fixture.verify(&Claims { sub: sub.to_owned(), ..fixture.claims() });
    for sub in ["", "a\0b", "a b", "a\u{7f}", "\u{e9}", &"a".repeat(256)] {
        assert_eq!(with(sub), Err(TokenError::Subject), "{sub:?}");
    }
    assert!(with(&"a".repeat(255)).is_ok());
}

#[test]
fn a_token_outside_its_time_is_refused() {
    let fixture = Fixture::new();
    let claims = Claims { iat: NOW - 300, exp: NOW, ..fixture.claims() };
    assert_eq!(fixture.verify(&claims), Err(TokenError::Expired));
    let claims = Claims { iat: NOW + 11, exp: NOW + 60, ..fixture.claims() };
    assert_eq!(fixture.verify(&claims), Err(TokenError::NotYetValid));
}

#[test]
fn a_long_lived_token_is_neither_issued_nor_accepted() {
    let fixture = Fixture::new();
    let claims = Claims { exp: NOW + 301, ..fixture.claims() };
    assert_eq!(issue(&fixture.key, "k1", &claims), Err(TokenError::Lifetime));
    let token = jose::sign_es256(&fixture.key, &Header::new(TYP).with_kid("k1"), &claims).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::Lifetime));
}

#[test]
fn an_unknown_or_missing_kid_is_refused() {
    let fixture = Fixture::new();
    let token = issue(&fixture.key, "k2", &fixture.claims()).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::UnknownKey));
    let token = jose::sign_es256(&fixture.key, &Header::new(TYP), &fixture.claims()).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::UnknownKey));
}

#[test]
fn another_key_under_the_same_kid_is_refused() {
    let fixture = Fixture::new();
    let token = issue(&SigningKey::generate(), "k1", &fixture.claims()).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::Jose(JoseError::Signature)));
}

#[test]
fn another_typ_is_refused() {
    let fixture = Fixture::new();
    let token = jose::sign_es256(&fixture.key, &Header::new("JWT").with_kid("k1"), &fixture.claims()).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::Jose(JoseError::Typ)));
}

#[test]
fn a_mac_under_the_public_key_is_refused() {
    let fixture = Fixture::new();
    let public = *fixture.key.public().as_uncompressed();
    let token = jose::sign_hs256(&public, &Header::new(TYP).with_kid("k1"), &fixture.claims()).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::Jose(JoseError::Alg)));
}

#[test]
fn a_token_without_binding_is_refused() {
    let fixture = Fixture::new();
    let mut claims = serde_json::to_value(fixture.claims()).unwrap();
    claims.as_object_mut().unwrap().remove("cnf");
    let token = jose::sign_es256(&fixture.key, &Header::new(TYP).with_kid("k1"), &claims).unwrap();
    assert_eq!(verify(&token, &fixture.keys, &EXPECT), Err(TokenError::Jose(JoseError::Claims)));
}

#[test]
fn a_key_set_survives_its_document() {
    let fixture = Fixture::new();
    assert_eq!(KeySet::from_jwks(&fixture.keys.to_jwks().to_string()), Ok(fixture.keys));
}

#[test]
fn keys_of_other_kinds_and_uses_are_skipped() {
    let mut document = Fixture::new().keys.to_jwks();
    let mut encryption = document["keys"][0].clone();
    encryption["use"] = "enc".into();
    let keys = document["keys"].as_array_mut().unwrap();
    keys.push(serde_json::json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"}));
    keys.push(encryption);
    assert_eq!(KeySet::from_value(&document).unwrap().len(), 1);
}

#[test]
fn a_key_set_with_a_private_unnamed_doubled_or_excessive_key_is_refused() {
    let good = Fixture::new().keys.to_jwks();
    let broken = |change: fn(&mut Vec<Value>)| {
        let mut document = good.clone();
        change(document["keys"].as_array_mut().unwrap());
        KeySet::from_value(&document).is_err()
    };
    assert!(broken(|keys| keys[0]["d"] = "AA".into()));
    assert!(broken(|keys| drop(keys[0].as_object_mut().unwrap().remove("kid"))));
    assert!(broken(|keys| keys.push(keys[0].clone())));
    assert!(broken(|keys| keys.resize(33, serde_json::json!({"kty": "RSA"}))));
    assert!(KeySet::from_jwks("{}").is_err());
    assert!(KeySet::from_jwks(r#"{"keys":[],"keys":[]}"#).is_err());
}

mod verified {
    use crypto::p256::SigningKey;

    use super::super::*;

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
                acr: None,
                amr: Vec::new(),
                authorization_details: Vec::new(),
                instance: None,
                factor_since: None,
            };
            issue(&self.key, "k1", &claims).unwrap()
        }

        fn remembered(&self) -> u64 {
            self.memory.0.entries.run_pending_tasks();
            self.memory.0.entries.entry_count()
        }

        /// The memory must say what a verification from nothing says.
        fn agrees(&self, token: &str, keys: &KeySet, expect: &Expect<'_>) -> Result<Claims, TokenError> {
            let fresh = verify(token, keys, expect);
            let known = self.memory.look(token).and_then(|token| self.memory.verify(&token, keys, expect));
            assert_eq!(known.map(|claims| (*claims).clone()), fresh);
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
        assert_eq!(fixture.remembered(), 1);
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
        assert_eq!(fixture.remembered(), 0);
        for number in 0..20 {
            fixture.agrees(&fixture.token(&number.to_string()), &fixture.keys, &EXPECT).unwrap();
            assert!((1..=4).contains(&fixture.remembered()));
        }
    }

    #[test]
    fn a_full_memory_forgets_what_was_not_used() {
        let fixture = Fixture::new();
        let busy = fixture.token("busy");
        for number in 0..20 {
            fixture.agrees(&busy, &fixture.keys, &EXPECT).unwrap();
            fixture.agrees(&fixture.token(&number.to_string()), &fixture.keys, &EXPECT).unwrap();
            fixture.remembered();
            assert!(
                fixture.memory.0.entries.contains_key(&crypto::hash::sha256(busy.as_bytes())),
                "after {number} others"
            );
        }
    }
}

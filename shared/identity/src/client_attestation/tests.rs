//! Each check by breaking one thing.

use crypto::SecretBytes;
use crypto::p256::SigningKey;
use serde_json::Value;

use super::*;
use crate::Platform;
use crate::attestation_token::{self, Master, epoch_of};
use crate::jose::JoseError;

const NOW: i64 = 1_800_000_000;

fn claims() -> Claims {
    Claims {
        sub: "redoubt-mobile".into(),
        iat: NOW,
        exp: NOW + 300,
        jti: "jti".into(),
        cnf: Confirmation { jwk: SigningKey::generate().public().into() },
        app: App { id: "dev.redoubt.app".into(), version: "1".into(), build: 1_u64.into(), platform: Platform::Ios },
        level: Level::SecureEnclave,
        support_id: "s".into(),
    }
}

fn keys() -> AudienceKeys {
    AudienceKeys::derive(&[master(b"master")], "auth", NOW)
}

fn master(bytes: &[u8]) -> Master {
    Master::new(1, SecretBytes::new(bytes.to_vec()))
}

fn key() -> AudienceKey {
    master(b"master").key("auth", epoch_of(NOW))
}

fn sign(typ: &str, claims: &Value) -> String {
    jose::sign_hs256(key().secret.expose(), &Header::new(typ).with_kid(key().id.to_string()), claims).unwrap()
}

fn check(change: impl Fn(&mut Value)) -> Result<Claims, TokenError> {
    let mut value = serde_json::to_value(claims()).unwrap();
    change(&mut value);
    verify(&sign(TYP, &value), &keys(), NOW)
}

#[test]
fn an_issued_attestation_verifies() {
    let (keys, claims) = (keys(), claims());
    let token = issue(&key(), &claims).unwrap();
    assert_eq!(verify(&token, &keys, NOW), Ok(claims));
}

#[test]
fn a_decoy_is_refused() {
    let token = issue(&master(b"decoy").key("auth", epoch_of(NOW)), &claims()).unwrap();
    assert_eq!(verify(&token, &keys(), NOW), Err(TokenError::Jose(JoseError::Signature)));
}

#[test]
fn an_attestation_token_is_not_taken_for_one() {
    let token = sign(attestation_token::TYP, &serde_json::to_value(claims()).unwrap());
    assert_eq!(verify(&token, &keys(), NOW), Err(TokenError::Jose(JoseError::Typ)));
}

#[test]
fn a_missing_claim_is_refused() {
    for name in ["sub", "exp", "cnf", "jti", "app", "level", "support_id"] {
        let result = check(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert_eq!(result, Err(TokenError::Jose(JoseError::Claims)), "{name}");
    }
}

#[test]
fn a_private_key_in_the_binding_is_refused() {
    let result = check(|claims| claims["cnf"]["jwk"]["d"] = "AA".into());
    assert_eq!(result, Err(TokenError::Jose(JoseError::Claims)));
}

#[test]
fn an_attestation_outside_its_time_is_refused() {
    assert_eq!(
        check(|claims| {
            claims["iat"] = (NOW - 300).into();
            claims["exp"] = NOW.into();
        }),
        Err(TokenError::Expired)
    );
    assert_eq!(check(|claims| claims["exp"] = (NOW + 301).into()), Err(TokenError::Lifetime));
    assert_eq!(check(|claims| claims["iat"] = (NOW + 11).into()), Err(TokenError::NotYetValid));
}

//! Each check by breaking one thing.

use crypto::p256::SigningKey;

use super::*;
use crate::jose::JoseError;
use crate::{Jwk, Platform};

/// The first second of an epoch.
const NOW: i64 = 1_800_000_000;
const MASTER: &[u8] = b"a master key of thirty-two bytes";

fn claims() -> Claims {
    Claims {
        iss: ISSUER.into(),
        aud: "ledger".into(),
        iat: NOW,
        exp: NOW + 300,
        jti: "jti".into(),
        cnf: Cnf { jkt: Jwk::from(SigningKey::generate().public()).thumbprint() },
        client_id: "redoubt-mobile".into(),
        app: App {
            id: "dev.redoubt.app".into(),
            version: "1".into(),
            build: 1_u64.into(),
            platform: Platform::Android,
        },
        level: Level::Tee,
        policy: "2026-11".into(),
        support_id: "s".into(),
    }
}

fn keys() -> AudienceKeys {
    AudienceKeys::derive(MASTER, "ledger", NOW)
}

fn current(keys: &AudienceKeys) -> &AudienceKey {
    keys.get(epoch_of(NOW), NOW).unwrap()
}

fn check(claims: &Claims) -> Result<Claims, TokenError> {
    let keys = keys();
    let token = jose::sign_hs256(
        current(&keys).secret.expose(),
        &Header::new(TYP).with_kid(epoch_of(NOW).to_string()),
        claims,
    )?;
    verify(&token, &keys, "ledger", NOW)
}

#[test]
fn an_issued_token_verifies_and_yields_its_session_key() {
    let (keys, claims) = (keys(), claims());
    let token = issue(current(&keys), &claims).unwrap();
    let (verified, session) = verify_with_session_key(&token, &keys, "ledger", NOW).unwrap();
    assert_eq!(verified, claims);
    let secret = audience_secret(MASTER, "ledger", epoch_of(NOW));
    assert_eq!(session.expose(), session_key(secret.expose(), "jti").expose());
    assert_ne!(session.expose(), session_key(secret.expose(), "jtj").expose());
}

#[test]
fn a_decoy_is_refused() {
    let decoys = AudienceKeys::derive(b"another master of thirty-two byte", "ledger", NOW);
    let token = issue(current(&decoys), &claims()).unwrap();
    assert_eq!(verify(&token, &keys(), "ledger", NOW), Err(TokenError::Jose(JoseError::Signature)));
}

#[test]
fn the_token_of_another_audience_is_refused() {
    assert_eq!(check(&Claims { aud: "auth".into(), ..claims() }), Err(TokenError::Audience));
    let others = AudienceKeys::derive(MASTER, "auth", NOW);
    let token = issue(current(&others), &claims()).unwrap();
    assert_eq!(verify(&token, &keys(), "ledger", NOW), Err(TokenError::Jose(JoseError::Signature)));
}

#[test]
fn another_issuer_is_refused() {
    assert_eq!(check(&Claims { iss: "urn:redoubt:auth".into(), ..claims() }), Err(TokenError::Issuer));
}

#[test]
fn a_token_outside_its_time_is_refused() {
    assert_eq!(check(&Claims { iat: NOW - 300, exp: NOW, ..claims() }), Err(TokenError::Expired));
    assert_eq!(check(&Claims { iat: NOW + 11, ..claims() }), Err(TokenError::NotYetValid));
    assert_eq!(check(&Claims { exp: NOW + 301, ..claims() }), Err(TokenError::Lifetime));
    assert_eq!(issue(current(&keys()), &Claims { exp: NOW + 301, ..claims() }), Err(TokenError::Lifetime));
}

#[test]
fn an_epoch_is_accepted_until_its_last_token_has_expired() {
    let keys = keys();
    let previous = keys.get(epoch_of(NOW) - 1, NOW).unwrap();
    let token = issue(previous, &Claims { iat: NOW - 1, exp: NOW + 299, ..claims() }).unwrap();
    assert!(verify(&token, &keys, "ledger", NOW + 298).is_ok());
    let token = issue(previous, &Claims { iat: NOW + 361, exp: NOW + 600, ..claims() }).unwrap();
    assert_eq!(verify(&token, &keys, "ledger", NOW + 361), Err(TokenError::UnknownKey));
}

#[test]
fn an_unknown_missing_or_oddly_spelled_epoch_is_refused() {
    let keys = keys();
    let key = current(&keys);
    let kid = epoch_of(NOW);
    for header in [
        Header::new(TYP),
        Header::new(TYP).with_kid(format!("+{kid}")),
        Header::new(TYP).with_kid(format!("0{kid}")),
        Header::new(TYP).with_kid((kid + 2).to_string()),
        Header::new(TYP).with_kid(""),
    ] {
        let token = jose::sign_hs256(key.secret.expose(), &header, &claims()).unwrap();
        assert_eq!(verify(&token, &keys, "ledger", NOW), Err(TokenError::UnknownKey));
    }
}

#[test]
fn another_typ_is_refused() {
    let keys = keys();
    let header = Header::new("oauth-client-attestation+jwt").with_kid(epoch_of(NOW).to_string());
    let token = jose::sign_hs256(current(&keys).secret.expose(), &header, &claims()).unwrap();
    assert_eq!(verify(&token, &keys, "ledger", NOW), Err(TokenError::Jose(JoseError::Typ)));
}

#[test]
fn secrets_differ_by_audience_and_epoch() {
    let base = audience_secret(MASTER, "ledger", 1);
    for other in
        [audience_secret(MASTER, "auth", 1), audience_secret(MASTER, "ledger", 2), audience_secret(b"m", "ledger", 1)]
    {
        assert_ne!(base.expose(), other.expose());
    }
}

#[test]
fn epochs_are_hours() {
    assert_eq!(epoch_of(NOW + 3599), epoch_of(NOW));
    assert_eq!(epoch_of(NOW + 3600), epoch_of(NOW) + 1);
    assert_eq!((epoch_of(-1), epoch_of(i64::MAX)), (0, u32::MAX));
}

#[test]
fn keys_arrive_over_the_wire() {
    let derived = keys();
    let key = |key: &AudienceKey| api::internal::AudienceKey {
        epoch: key.epoch,
        secret: b64::encode(key.secret.expose()),
        not_after: key.not_after,
    };
    let mut wire =
        api::internal::AudienceKeys { audience: "ledger".into(), keys: derived.keys.iter().map(key).collect() };
    let received = AudienceKeys::try_from(&wire).unwrap();
    let token = issue(current(&derived), &claims()).unwrap();
    assert!(verify(&token, &received, "ledger", NOW).is_ok());
    wire.keys[0].secret = "!".into();
    assert!(AudienceKeys::try_from(&wire).is_err());
}

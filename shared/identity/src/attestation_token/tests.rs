//! Each check by breaking one thing.

use crypto::p256::SigningKey;

use super::*;
use crate::{Jwk, Platform};

mod verified;

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
    AudienceKeys::derive(&[master(7, MASTER)], "ledger", NOW)
}

fn master(generation: u32, bytes: &[u8]) -> Master {
    Master::new(generation, SecretBytes::new(bytes.to_vec()))
}

/// The key of now.
fn current() -> AudienceKey {
    master(7, MASTER).key("ledger", epoch_of(NOW))
}

fn check(claims: &Claims) -> Result<Claims, TokenError> {
    let keys = keys();
    let token =
        jose::sign_hs256(current().secret.expose(), &Header::new(TYP).with_kid(current().id.to_string()), claims)?;
    verify(&token, &keys, "ledger", NOW)
}

#[test]
fn an_issued_token_verifies_and_yields_its_session_key() {
    let (keys, claims) = (keys(), claims());
    let token = issue(&current(), &claims).unwrap();
    let (verified, session) = verify_with_session_key(&token, &keys, "ledger", NOW).unwrap();
    assert_eq!(verified, claims);
    let secret = audience_secret(MASTER, "ledger", epoch_of(NOW));
    assert_eq!(session.expose(), session_key(secret.expose(), "jti").expose());
    assert_ne!(session.expose(), session_key(secret.expose(), "jtj").expose());
}

#[test]
fn a_decoy_is_refused() {
    let decoy = master(7, b"another master of thirty-two byte").key("ledger", epoch_of(NOW));
    let token = issue(&decoy, &claims()).unwrap();
    assert_eq!(verify(&token, &keys(), "ledger", NOW), Err(TokenError::Jose(JoseError::Signature)));
}

#[test]
fn whoever_knows_the_decoys_keys_knows_a_decoy_and_accepts_it_no_more_than_before() {
    let decoys = [master(7, b"another master of thirty-two byte")];
    let keys = AudienceKeys::try_from(&keys().with_decoys(&decoys, "ledger", NOW).to_wire("ledger")).unwrap();
    let decoy = issue(&decoys[0].key("ledger", epoch_of(NOW)), &claims()).unwrap();
    assert_eq!(verify(&decoy, &keys, "ledger", NOW), Err(TokenError::Decoy));
    let genuine = issue(&current(), &claims()).unwrap();
    assert!(verify(&genuine, &keys, "ledger", NOW).is_ok());
    // What nobody of ours has made is no decoy: another's claims under the decoy's MAC, or its master for another audience.
    let (head, _) = decoy.rsplit_once('.').unwrap();
    let (_, mac) = genuine.rsplit_once('.').unwrap();
    let elsewhere = issue(&decoys[0].key("auth", epoch_of(NOW)), &claims()).unwrap();
    for forged in [format!("{head}.{mac}"), elsewhere] {
        assert_eq!(verify(&forged, &keys, "ledger", NOW), Err(TokenError::Jose(JoseError::Signature)));
    }
}

#[test]
fn the_token_of_another_audience_is_refused() {
    assert_eq!(check(&Claims { aud: "auth".into(), ..claims() }), Err(TokenError::Audience));
    let token = issue(&master(7, MASTER).key("auth", epoch_of(NOW)), &claims()).unwrap();
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
    assert_eq!(issue(&current(), &Claims { exp: NOW + 301, ..claims() }), Err(TokenError::Lifetime));
}

#[test]
fn an_epoch_is_accepted_until_its_last_token_has_expired() {
    let keys = keys();
    let previous = &master(7, MASTER).key("ledger", epoch_of(NOW) - 1);
    let token = issue(previous, &Claims { iat: NOW - 1, exp: NOW + 299, ..claims() }).unwrap();
    assert!(verify(&token, &keys, "ledger", NOW + 298).is_ok());
    let token = issue(previous, &Claims { iat: NOW + 361, exp: NOW + 600, ..claims() }).unwrap();
    assert_eq!(verify(&token, &keys, "ledger", NOW + 361), Err(TokenError::UnknownKey));
}

#[test]
fn an_unknown_missing_or_oddly_spelled_key_is_refused() {
    let keys = keys();
    let epoch = epoch_of(NOW);
    for kid in [
        format!("+7.{epoch}"),
        format!("7.+{epoch}"),
        format!("07.{epoch}"),
        format!("7.0{epoch}"),
        format!("7.{}", epoch + 2),
        format!("8.{epoch}"),
        format!("7.{epoch}.0"),
        epoch.to_string(),
        "7.".to_owned(),
        String::new(),
    ] {
        let token = jose::sign_hs256(current().secret.expose(), &Header::new(TYP).with_kid(&*kid), &claims()).unwrap();
        assert_eq!(verify(&token, &keys, "ledger", NOW), Err(TokenError::UnknownKey), "{kid}");
    }
    let token = jose::sign_hs256(current().secret.expose(), &Header::new(TYP), &claims()).unwrap();
    assert_eq!(verify(&token, &keys, "ledger", NOW), Err(TokenError::UnknownKey));
}

#[test]
fn while_a_master_is_replaced_tokens_under_both_verify_and_each_under_its_own() {
    let (old, new) = (master(7, MASTER), master(8, b"the next master of thirty-two byt"));
    let both = AudienceKeys::derive(&[new.clone(), old.clone()], "ledger", NOW);
    for master in [&old, &new] {
        let key = master.key("ledger", epoch_of(NOW));
        let token = issue(&key, &claims()).unwrap();
        let (_, session) = verify_with_session_key(&token, &both, "ledger", NOW).unwrap();
        assert_eq!(session.expose(), session_key(key.secret.expose(), "jti").expose());
    }
    // The name of one with the secret of the other.
    let mixed = AudienceKey { id: KeyId { generation: 8, epoch: epoch_of(NOW) }, ..current() };
    let token = issue(&mixed, &claims()).unwrap();
    assert_eq!(verify(&token, &both, "ledger", NOW), Err(TokenError::Jose(JoseError::Signature)));
}

#[test]
fn another_typ_is_refused() {
    let keys = keys();
    let header = Header::new("oauth-client-attestation+jwt").with_kid(current().id.to_string());
    let token = jose::sign_hs256(current().secret.expose(), &header, &claims()).unwrap();
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
    let mut wire = derived.to_wire("ledger");
    let received = AudienceKeys::try_from(&wire).unwrap();
    let token = issue(&current(), &claims()).unwrap();
    assert!(verify(&token, &received, "ledger", NOW).is_ok());
    wire.keys[0].secret = "!".into();
    assert!(AudienceKeys::try_from(&wire).is_err());
}

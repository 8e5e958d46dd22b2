//! The examples of RFC 9449, and each check of its §4.3 by breaking one thing.

use crypto::p256::SigningKey;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const URL: &str = "https://api.redoubt.example/v1/transfers";
const TOKEN: &str = "header.claims.signature";

const EXPECT: Expect<'static> = Expect { htm: "POST", htu: URL, access_token: Some(TOKEN), now: NOW };

fn claims() -> Value {
    json!({"jti": "a-jti", "htm": "POST", "htu": URL, "iat": NOW, "ath": ath(TOKEN)})
}

/// Signs claims that the real client would not make.
fn proof(claims: &Value) -> String {
    let key = SigningKey::generate();
    jose::sign_es256(&key, &Header::new(TYP).with_jwk(key.public().into()), claims).unwrap()
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    proof(&claims)
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    proof(&claims)
}

fn refusal(proof: &str) -> DpopError {
    verify(proof, &EXPECT).unwrap_err()
}

#[test]
fn a_proof_verifies_and_names_its_key() {
    let key = SigningKey::generate();
    let proof = create(&key, "POST", URL, NOW, "a-jti", Some(TOKEN), Some("a-nonce")).unwrap();
    let verified = verify(&proof, &EXPECT).unwrap();
    assert_eq!(verified.jkt, Jwk::from(key.public()).thumbprint());
    assert_eq!((verified.jti.as_str(), verified.nonce.as_deref()), ("a-jti", Some("a-nonce")));
    assert_eq!(verified.replay_until(), NOW + MAX_AGE);
}

/// RFC 9449 §4.1 (figure 2) and §7.1 (figure 12): proofs that we did not make; §6.1 publishes the thumbprint.
#[test]
fn the_proofs_of_rfc_9449_verify() {
    let header = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik",
        "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR",
        "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE",
        "QSIsImNydiI6IlAtMjU2In19"
    );
    let at_token = concat!(
        "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2V",
        "uIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfb",
        "V37xRZT3Lg"
    );
    let expect =
        Expect { htm: "POST", htu: "https://server.example.com/token", access_token: None, now: 1_562_262_616 };
    let verified = verify(&format!("{header}.{at_token}"), &expect).unwrap();
    assert_eq!(verified.jkt.as_str(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    assert_eq!(verified.jti, "-BwC3ESc6acc2lTc");

    let at_resource = concat!(
        "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90",
        "ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtz",
        "bVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let expect = Expect {
        htm: "GET",
        htu: "https://resource.example.org/protectedresource",
        access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        now: 1_562_262_618,
    };
    assert!(verify(&format!("{header}.{at_resource}"), &expect).is_ok());
}

/// RFC 9449 §7.1.
#[test]
fn the_token_hash_of_rfc_9449() {
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    assert_eq!(ath(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
}

#[test]
fn a_missing_claim_is_refused() {
    for name in ["jti", "htm", "htu", "iat"] {
        assert_eq!(refusal(&without(name)), DpopError::Jose(JoseError::Claims), "{name}");
    }
    assert_eq!(refusal(&without("ath")), DpopError::AthMissing);
}

#[test]
fn another_method_is_refused() {
    for htm in ["GET", "post", ""] {
        assert_eq!(refusal(&with("htm", htm.into())), DpopError::Method);
    }
}

#[test]
fn another_url_is_refused() {
    for htu in [
        "https://api.redoubt.example/v1/transfer",
        "https://api.redoubt.example/v1/transfers/",
        "https://api.redoubt.example/V1/transfers",
        "https://api.redoubt.example:8443/v1/transfers",
        "https://api.redoubt.example.evil/v1/transfers",
        "https://user@api.redoubt.example/v1/transfers",
        "https://evil@api.redoubt.example/v1/transfers",
        "http://api.redoubt.example/v1/transfers",
        "https:///v1/transfers",
        "https://api.redoubt.example\\@evil/v1/transfers",
        "https://api.redoubt.example/v1/trans fers",
        "https://api.redoubt.example/v1/transfers%",
        "https://api.redoubt.example/v1/transfers%+1",
        "//api.redoubt.example/v1/transfers",
        "/v1/transfers",
        "",
    ] {
        assert_eq!(refusal(&with("htu", htu.into())), DpopError::Uri, "{htu}");
    }
}

#[test]
fn one_url_may_be_spelled_differently() {
    for htu in [
        "HTTPS://API.redoubt.EXAMPLE/v1/transfers",
        "https://api.redoubt.example:443/v1/transfers",
        "https://api.redoubt.example/v1/transfers?a=b",
        "https://api.redoubt.example/v1/transfers#c",
        "https://api.redoubt.example/v1/%74ransfers",
    ] {
        assert!(verify(&with("htu", htu.into()), &EXPECT).is_ok(), "{htu}");
    }
}

#[test]
fn urls_normalise_as_rfc_3986_says() {
    let same = |a: &str, b: &str| assert_eq!(normalize(a), normalize(b), "{a} {b}");
    same("https://a.example", "https://a.example/");
    same("https://a.example?x", "https://a.example/#y/z");
    same("http://a.example:80/", "http://A.example/");
    same("https://a.example/%c3%a4", "https://a.example/%C3%A4");
    same("https://[::1]:443/x", "https://[::1]/x");
    assert_ne!(normalize("https://a.example/a%2fb"), normalize("https://a.example/a/b"));
    assert_ne!(normalize("https://a.example:80/"), normalize("https://a.example/"));
}

#[test]
fn the_window_is_60_seconds_back_and_10_ahead() {
    for (iat, accepted) in [(NOW - 60, true), (NOW - 61, false), (NOW + 10, true), (NOW + 11, false)] {
        assert_eq!(verify(&with("iat", iat.into()), &EXPECT).is_ok(), accepted, "{}", iat - NOW);
    }
    for iat in [i64::MIN, i64::MAX, 0, NOW - 3600, NOW + 3600] {
        assert_eq!(refusal(&with("iat", iat.into())), DpopError::IssuedAt);
    }
}

#[test]
fn the_hash_of_another_token_is_refused() {
    assert_eq!(refusal(&with("ath", ath("another token").into())), DpopError::AthMismatch);
    assert_eq!(refusal(&with("ath", "".into())), DpopError::AthMismatch);
}

#[test]
fn an_empty_or_overlong_jti_is_refused() {
    assert_eq!(refusal(&with("jti", "".into())), DpopError::Jti);
    assert_eq!(refusal(&with("jti", "x".repeat(129).into())), DpopError::Jti);
}

#[test]
fn extra_claims_are_ignored() {
    assert!(verify(&with("nbf", NOW.into()), &EXPECT).is_ok());
    assert!(verify(&with("exp", (NOW + 60).into()), &EXPECT).is_ok());
}

#[test]
fn without_an_access_token_no_hash_is_asked_for() {
    assert!(verify(&without("ath"), &Expect { access_token: None, ..EXPECT }).is_ok());
}

#[test]
fn a_proof_without_its_key_is_refused() {
    let token = jose::sign_es256(&SigningKey::generate(), &Header::new(TYP), &claims()).unwrap();
    assert_eq!(refusal(&token), DpopError::JwkMissing);
}

#[test]
fn a_proof_by_another_key_than_it_names_is_refused() {
    let (key, other) = (SigningKey::generate(), SigningKey::generate());
    let header = Header::new(TYP).with_jwk(other.public().into());
    let token = jose::sign_es256(&key, &header, &claims()).unwrap();
    assert_eq!(refusal(&token), DpopError::Jose(JoseError::Signature));
}

#[test]
fn a_proof_of_another_type_or_algorithm_is_refused() {
    let key = SigningKey::generate();
    let header = Header::new("JWT").with_jwk(key.public().into());
    let token = jose::sign_es256(&key, &header, &claims()).unwrap();
    assert_eq!(refusal(&token), DpopError::Jose(JoseError::Typ));
    let header = Header::new(TYP).with_jwk(key.public().into());
    let token = jose::sign_hs256(key.public().as_uncompressed(), &header, &claims()).unwrap();
    assert_eq!(refusal(&token), DpopError::Jose(JoseError::Alg));
}

#[test]
fn a_proof_with_a_private_key_is_refused() {
    let key = SigningKey::generate();
    let mut jwk = Jwk::from(key.public()).to_value();
    jwk["d"] = b64::encode(&[7; 32]).into();
    let header = json!({"typ": TYP, "alg": "ES256", "jwk": jwk}).to_string();
    let input = format!("{}.{}", b64::encode(header.as_bytes()), b64::encode(claims().to_string().as_bytes()));
    let token = format!("{input}.{}", b64::encode(&key.sign(input.as_bytes())));
    assert_eq!(refusal(&token), DpopError::Jose(JoseError::Jwk));
}

#[test]
fn a_changed_claim_breaks_the_signature() {
    let good = proof(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let mut changed = claims();
    changed["iat"] = (NOW + 1).into();
    let token = format!("{}.{}.{}", parts[0], b64::encode(changed.to_string().as_bytes()), parts[2]);
    assert_eq!(refusal(&token), DpopError::Jose(JoseError::Signature));
}

mod nonces {
    use super::super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_nonce_lives_for_its_bucket_and_the_next() {
        let nonces = Nonces::new();
        let nonce = nonces.current(NOW);
        assert_eq!(nonces.current(NOW + BUCKET - 1), nonce);
        assert!(nonces.accepts(&nonce, NOW));
        assert!(nonces.accepts(&nonce, NOW + 2 * BUCKET - 1));
        assert!(!nonces.accepts(&nonce, NOW + 2 * BUCKET));
    }

    #[test]
    fn a_nonce_of_the_future_is_refused() {
        let nonces = Nonces::new();
        assert!(!nonces.accepts(&nonces.current(NOW + BUCKET), NOW));
    }

    #[test]
    fn a_nonce_of_another_process_is_refused() {
        assert!(!Nonces::new().accepts(&Nonces::new().current(NOW), NOW));
        assert!(!Nonces::new().accepts("", NOW));
    }
}

/// What a known header saves is to be read again, and nothing of the proof.
#[test]
fn under_a_known_header_each_proof_is_verified_as_ever() {
    let headers = KnownHeaders::new(4);
    let key = SigningKey::generate();
    let header = Header::new(TYP).with_jwk(key.public().into());
    let made = |claims: &Value| jose::sign_es256(&key, &header, claims).unwrap();
    let agrees = |proof: &str| {
        let known = headers.verify(proof, &EXPECT);
        let same = |one: &Verified| (one.jkt.clone(), one.jwk.clone(), one.jti.clone(), one.iat, one.nonce.clone());
        assert_eq!(known.as_ref().map(same), verify(proof, &EXPECT).as_ref().map(same));
        known.map(|_| ())
    };
    let first = made(&claims());
    assert_eq!((agrees(&first), agrees(&first)), (Ok(()), Ok(())));
    for (name, value, error) in [
        ("htm", json!("GET"), DpopError::Method),
        ("htu", json!("https://evil.example/"), DpopError::Uri),
        ("iat", json!(NOW - 61), DpopError::IssuedAt),
        ("ath", json!(ath("another")), DpopError::AthMismatch),
        ("jti", json!(""), DpopError::Jti),
    ] {
        let mut claims = claims();
        claims[name] = value;
        assert_eq!(agrees(&made(&claims)), Err(error));
    }
    // Another key's signature, or a changed one, under the header that is known.
    let (head, rest) = first.split_once('.').unwrap();
    let stranger = proof(&claims());
    let (_, strangers) = stranger.split_once('.').unwrap();
    assert_eq!(agrees(&format!("{head}.{strangers}")), Err(DpopError::Jose(JoseError::Signature)));
    assert_eq!(agrees(&format!("{head}.{}", rest.replace('.', "A."))), Err(DpopError::Jose(JoseError::Signature)));
}

#[test]
fn headers_of_bad_proofs_and_long_ones_are_not_kept_and_memory_is_bounded() {
    let headers = KnownHeaders::new(4);
    let kept = || {
        headers.0.run_pending_tasks();
        headers.0.entry_count()
    };
    headers.verify(&with("htm", json!("GET")), &EXPECT).unwrap_err();
    let key = SigningKey::generate();
    let long = Header::new(TYP).with_jwk(key.public().into()).with_kid("k".repeat(250));
    headers.verify(&jose::sign_es256(&key, &long, &claims()).unwrap(), &EXPECT).unwrap();
    assert_eq!(kept(), 0);
    for _ in 0..20 {
        headers.verify(&proof(&claims()), &EXPECT).unwrap();
        assert!((1..=4).contains(&kept()));
    }
}

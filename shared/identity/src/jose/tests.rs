//! The vector of RFC 7515 A.1, and each refusal by breaking one thing.

use crypto::SecretBytes;
use crypto::p256::SigningKey;
use serde_json::json;

use super::*;

const TYP: &str = "test+jwt";

fn token(header: &str, claims: &str, key: &[u8]) -> String {
    let input = format!("{}.{}", b64::encode(header.as_bytes()), b64::encode(claims.as_bytes()));
    let mac = hash::hmac_sha256(key, input.as_bytes());
    format!("{input}.{}", b64::encode(&mac))
}

fn verify(token: &str, key: &[u8]) -> Result<Value, JoseError> {
    parse(token, TYP)?.verify_hs256(key)
}

/// RFC 7515 appendix A.1.
#[test]
fn the_token_of_rfc_7515_a1_verifies() {
    let key = b64::decode(concat!(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aK",
        "tMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    ));
    let key = SecretBytes::new(key.unwrap());
    let token = concat!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let claims: Value = parse(token, "JWT").unwrap().verify_hs256(key.expose()).unwrap();
    assert_eq!(claims, json!({"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true}));
}

#[test]
fn both_algorithms_round_trip() {
    let (key, claims) = (SigningKey::generate(), json!({"a": 1}));
    let header = Header::new(TYP).with_kid("k1").with_jwk(key.public().into());
    let es256 = sign_es256(&key, &header, &claims).unwrap();
    let parsed = parse(&es256, TYP).unwrap();
    assert_eq!(parsed.header().kid.as_deref(), Some("k1"));
    assert_eq!(parsed.header().jwk.as_ref().unwrap().public_key(), &key.public());
    assert_eq!(parsed.verify_es256::<Value>(&key.public()), Ok(claims.clone()));
    let hs256 = sign_hs256(b"secret", &header, &claims).unwrap();
    assert_eq!(parse(&hs256, TYP).unwrap().verify_hs256::<Value>(b"secret"), Ok(claims));
}

#[test]
fn another_key_does_not_verify() {
    let (key, other) = (SigningKey::generate(), SigningKey::generate());
    let es256 = sign_es256(&key, &Header::new(TYP), &json!({})).unwrap();
    let result: Result<Value, _> = parse(&es256, TYP).unwrap().verify_es256(&other.public());
    assert_eq!(result, Err(JoseError::Signature));
    let hs256 = sign_hs256(b"secret", &Header::new(TYP), &json!({})).unwrap();
    assert_eq!(verify(&hs256, b"secreu"), Err(JoseError::Signature));
}

#[test]
fn a_public_key_is_never_taken_for_a_mac_key() {
    let key = SigningKey::generate();
    let forged = sign_hs256(key.public().as_uncompressed(), &Header::new(TYP), &json!({})).unwrap();
    let result: Result<Value, _> = parse(&forged, TYP).unwrap().verify_es256(&key.public());
    assert_eq!(result, Err(JoseError::Alg));
    let signed = sign_es256(&key, &Header::new(TYP), &json!({})).unwrap();
    assert_eq!(verify(&signed, key.public().as_uncompressed()), Err(JoseError::Alg));
}

#[test]
fn other_algorithms_are_refused() {
    for alg in
        [r#""alg":"none","#, r#""alg":"None","#, r#""alg":"RS256","#, r#""alg":"es256","#, r#""alg":"ES384","#, ""]
    {
        let header = format!(r#"{{{alg}"typ":"test+jwt"}}"#);
        assert_eq!(verify(&token(&header, "{}", b"k"), b"k"), Err(JoseError::Alg), "{header}");
    }
}

#[test]
fn another_typ_is_refused() {
    for typ in [
        r#","typ":"JWT""#,
        r#","typ":"test+jwt ""#,
        r#","typ":"application/application/test+jwt""#,
        r#","typ":"text/test+jwt""#,
        r#","typ":"/test+jwt""#,
        r#","typ":"application/""#,
        r#","typ":"""#,
        "",
    ] {
        let header = format!(r#"{{"alg":"HS256"{typ}}}"#);
        assert_eq!(verify(&token(&header, "{}", b"k"), b"k"), Err(JoseError::Typ), "{header}");
    }
}

#[test]
fn a_typ_is_a_media_type() {
    for typ in ["test+jwt", "TEST+JWT", "application/test+jwt", "Application/Test+JWT"] {
        let header = format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#);
        assert!(verify(&token(&header, "{}", b"k"), b"k").is_ok(), "{typ}");
    }
}

#[test]
fn extensions_are_refused() {
    for extension in [r#""crit":["exp"]"#, r#""crit":[]"#, r#""b64":true"#, r#""zip":"DEF""#, r#""enc":"A128GCM""#] {
        let header = format!(r#"{{"alg":"HS256","typ":"test+jwt",{extension}}}"#);
        assert_eq!(verify(&token(&header, "{}", b"k"), b"k"), Err(JoseError::Critical), "{header}");
    }
}

#[test]
fn duplicate_members_are_refused() {
    let header = r#"{"alg":"HS256","typ":"test+jwt","typ":"test+jwt"}"#;
    assert_eq!(verify(&token(header, "{}", b"k"), b"k"), Err(JoseError::Malformed));
    let header = r#"{"alg":"HS256","typ":"test+jwt"}"#;
    assert_eq!(verify(&token(header, r#"{"a":1,"a":1}"#, b"k"), b"k"), Err(JoseError::Claims));
}

#[test]
fn the_size_is_checked_first() {
    let header = r#"{"alg":"HS256","typ":"test+jwt"}"#;
    let claims = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES));
    assert_eq!(verify(&token(header, &claims, b"k"), b"k"), Err(JoseError::TooLarge));
    assert_eq!(parse(&"!".repeat(MAX_BYTES + 1), TYP).unwrap_err(), JoseError::TooLarge);
}

#[test]
fn only_three_canonical_parts_are_a_compact_jws() {
    let good = sign_hs256(b"k", &Header::new(TYP), &json!({})).unwrap();
    assert!(verify(&good, b"k").is_ok());
    let (input, _) = good.rsplit_once('.').unwrap();
    let bad = [
        String::new(),
        "..".to_owned(),
        input.to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('.', ".."),
        r#"{"payload":"","signatures":[]}"#.to_owned(),
    ];
    for token in bad {
        assert_eq!(verify(&token, b"k"), Err(JoseError::Malformed), "{token}");
    }
}

#[test]
fn a_header_with_wrong_types_is_refused() {
    for header in [
        "[]",
        r#""x""#,
        r#"{"alg":"HS256","typ":7}"#,
        r#"{"alg":7,"typ":"test+jwt"}"#,
        r#"{"alg":"HS256","typ":"test+jwt","kid":1}"#,
    ] {
        assert_eq!(verify(&token(header, "{}", b"k"), b"k"), Err(JoseError::Malformed), "{header}");
    }
}

#[test]
fn claims_of_another_shape_are_refused() {
    let token = sign_hs256(b"k", &Header::new(TYP), &json!({"a": "text"})).unwrap();
    let result: Result<std::collections::BTreeMap<String, u8>, _> = parse(&token, TYP).unwrap().verify_hs256(b"k");
    assert_eq!(result.unwrap_err(), JoseError::Claims);
}

#[test]
fn a_client_assertion_may_have_the_types_of_its_history_and_no_other() {
    for (typ, accepted) in [
        ("", true),
        (r#","typ":"JWT""#, true),
        (r#","typ":"jwt""#, true),
        (r#","typ":"application/JWT""#, true),
        (r#","typ":"client-authentication+jwt""#, true),
        (r#","typ":"at+jwt""#, false),
        (r#","typ":"dpop+jwt""#, false),
    ] {
        let token = token(&format!(r#"{{"alg":"HS256"{typ}}}"#), "{}", b"k");
        assert_eq!(parse_client_assertion(&token).is_ok(), accepted, "{typ}");
    }
}

//! Each token is right but for one thing.

use serde_json::json;

use super::*;

const TYP: &str = "test+jwe";
const PARTIES: Parties<'static> = Parties { producer: b"Alice", recipient: b"field" };

/// A token with this header, sealed under it as it is.
fn sealed_under(header: &str, ephemeral: &AgreementKey, recipient: &RecipientKey, parties: &Parties<'_>) -> String {
    let header = b64::encode(header.as_bytes());
    let key = ephemeral.agree(&recipient.key.public(), parties).unwrap();
    let Content { iv, ciphertext, tag } = key.seal(header.as_bytes(), b"secret").unwrap();
    format!("{header}..{}.{}.{}", b64::encode(&iv), b64::encode(&ciphertext), b64::encode(&tag))
}

fn header(ephemeral: &AgreementKey, recipient: &RecipientKey) -> Value {
    json!({
        "alg": "ECDH-ES", "enc": "A256GCM", "typ": TYP, "kid": recipient.kid,
        "epk": Jwk::from(ephemeral.public()).to_value(),
        "apu": b64::encode(PARTIES.producer), "apv": b64::encode(PARTIES.recipient),
    })
}

fn opened(token: &str, key: &RecipientKey) -> Result<Vec<u8>, JweError> {
    open(token, TYP, [key], &PARTIES).map(|bytes| bytes.expose().clone())
}

fn recipient() -> RecipientKey {
    AgreementKey::generate().into()
}

#[test]
fn what_is_sealed_opens_and_is_no_longer_to_be_read() {
    let (key, other) = (recipient(), recipient());
    let token = seal(key.public().public_key(), TYP, &PARTIES, b"secret").unwrap();
    let bytes = open(&token, TYP, [&other, &key], &PARTIES).unwrap();
    assert_eq!(bytes.expose(), b"secret");
    assert!(token.split('.').all(|part| b64::decode(part).unwrap() != b"secret"));
    // Each message has a key of its own.
    assert_ne!(seal(key.public().public_key(), TYP, &PARTIES, b"secret").unwrap(), token);
}

#[test]
fn the_tests_own_tokens_open_too() {
    let (ephemeral, key) = (AgreementKey::generate(), recipient());
    let token = sealed_under(&header(&ephemeral, &key).to_string(), &ephemeral, &key, &PARTIES);
    assert_eq!(opened(&token, &key).unwrap(), b"secret");
}

#[test]
fn one_wrong_member_of_the_header_is_refused_by_its_reason() {
    let (ephemeral, key) = (AgreementKey::generate(), recipient());
    let foreign = json!(recipient().kid);
    let off_curve = json!({ "kty": "EC", "crv": "P-256", "x": b64::encode(&[7; 32]), "y": b64::encode(&[7; 32]) });
    let private = {
        let mut jwk = Jwk::from(ephemeral.public()).to_value();
        jwk["d"] = json!(b64::encode(&[7; 32]));
        jwk
    };
    for (name, value, error) in [
        ("alg", json!("dir"), JweError::Alg),
        ("alg", json!("ECDH-ES+A256KW"), JweError::Alg),
        ("alg", json!("none"), JweError::Alg),
        ("enc", json!("A128GCM"), JweError::Alg),
        ("enc", json!("A256CBC-HS512"), JweError::Alg),
        ("alg", json!(["ECDH-ES"]), JweError::Malformed),
        ("typ", json!("redoubt-other+jwe"), JweError::Typ),
        ("zip", json!("DEF"), JweError::Extension),
        ("crit", json!(["exp"]), JweError::Extension),
        ("jku", json!("https://evil.example"), JweError::Extension),
        ("kid", foreign, JweError::Recipient),
        ("kid", json!(1), JweError::Malformed),
        ("epk", off_curve, JweError::Ephemeral),
        ("epk", private, JweError::Ephemeral),
        ("epk", json!({ "kty": "OKP", "crv": "X25519", "x": b64::encode(&[7; 32]) }), JweError::Ephemeral),
        ("apu", json!(b64::encode(b"Mallory")), JweError::Producer),
        ("apv", json!(b64::encode(b"other field")), JweError::Purpose),
        ("apu", json!("Zm9v="), JweError::Malformed),
    ] {
        let mut changed = header(&ephemeral, &key);
        changed[name] = value.clone();
        let token = sealed_under(&changed.to_string(), &ephemeral, &key, &PARTIES);
        assert_eq!(opened(&token, &key), Err(error), "{name} {value}");
    }
    for name in MEMBERS {
        let mut changed = header(&ephemeral, &key);
        changed.as_object_mut().unwrap().remove(name);
        let token = sealed_under(&changed.to_string(), &ephemeral, &key, &PARTIES);
        assert_eq!(opened(&token, &key), Err(JweError::Malformed), "no {name}");
    }
    let twice = header(&ephemeral, &key).to_string().replacen('{', r#"{"alg":"ECDH-ES","#, 1);
    assert_eq!(opened(&sealed_under(&twice, &ephemeral, &key, &PARTIES), &key), Err(JweError::Malformed));
}

/// What the header says of the parties is right, and the key was agreed otherwise.
#[test]
fn the_parties_enter_the_key() {
    let (ephemeral, key) = (AgreementKey::generate(), recipient());
    let header = header(&ephemeral, &key).to_string();
    for parties in [Parties { producer: b"Mallory", ..PARTIES }, Parties { recipient: b"other field", ..PARTIES }] {
        let token = sealed_under(&header, &ephemeral, &key, &parties);
        assert_eq!(opened(&token, &key), Err(JweError::Open));
    }
}

#[test]
fn a_changed_part_is_refused() {
    let key = recipient();
    let token = seal(key.public().public_key(), TYP, &PARTIES, b"secret").unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let with = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part;
        parts.join(".")
    };
    let flipped = |at: usize| {
        let mut bytes = b64::decode(parts[at]).unwrap();
        bytes[0] ^= 1;
        with(at, &b64::encode(&bytes))
    };
    let short = |at: usize| {
        let bytes = b64::decode(parts[at]).unwrap();
        with(at, &b64::encode(&bytes[1..]))
    };
    // The same header in other words.
    let spaced = with(0, &b64::encode(&[&b64::decode(parts[0]).unwrap()[..], b" "].concat()));
    for (token, error) in [
        (flipped(2), JweError::Open),
        (flipped(3), JweError::Open),
        (flipped(4), JweError::Open),
        (spaced, JweError::Open),
        (short(2), JweError::Malformed),
        (short(3), JweError::Open),
        (short(4), JweError::Malformed),
        (with(1, &b64::encode(&[7; 40])), JweError::Malformed),
        (with(2, ""), JweError::Malformed),
        (with(4, ""), JweError::Malformed),
        (with(3, "AB="), JweError::Malformed),
        (format!("{token}.AA"), JweError::Malformed),
        (parts[..4].join("."), JweError::Malformed),
        (token[..token.len() - 1].to_owned(), JweError::Malformed),
        (String::new(), JweError::Malformed),
        ("....".to_owned(), JweError::Malformed),
    ] {
        assert_eq!(opened(&token, &key), Err(error), "{token}");
    }
}

#[test]
fn a_token_is_measured_before_anything_else() {
    let key = recipient();
    let long = seal(key.public().public_key(), TYP, &PARTIES, &[b'x'; MAX_BYTES]);
    assert_eq!(long, Err(JweError::TooLarge));
    let token = seal(key.public().public_key(), TYP, &PARTIES, b"secret").unwrap();
    let padded = format!("{token}{}", ".".repeat(MAX_BYTES));
    assert_eq!(opened(&padded, &key), Err(JweError::TooLarge));
}

use super::*;

struct Iban;

impl Field for Iban {
    const PURPOSE: &'static str = "test.iban";
}

struct Code;

impl Field for Code {
    const PURPOSE: &'static str = "test.code";
}

const IBAN: &str = "DE89370400440532013000";

fn thumbprint() -> Thumbprint {
    Jwk::from(AgreementKey::generate().public()).thumbprint()
}

fn keys() -> OpeningKeys {
    OpeningKeys::new(vec![AgreementKey::generate()]).unwrap()
}

fn public(keys: &OpeningKeys) -> Jwk {
    keys.public().next().unwrap()
}

fn opened(keys: &OpeningKeys, sealed: &Sealed<Iban>, intent: &Intent<'_>) -> Result<String, FieldError> {
    keys.open(sealed, intent).map(|text| text.expose().clone())
}

#[test]
fn a_field_is_opened_by_whom_and_for_what_it_was_sealed() {
    let (keys, jkt, other) = (keys(), thumbprint(), thumbprint());
    let intent = Intent { jkt: &jkt, idempotency_key: "key-1" };
    let sealed = seal::<Iban>(&public(&keys), &intent, IBAN).unwrap();
    assert_eq!(opened(&keys, &sealed, &intent).unwrap(), IBAN);

    let refused = |intent| opened(&keys, &sealed, &intent).unwrap_err().reason();
    assert_eq!(refused(Intent { jkt: &other, ..intent }), "context_mismatch", "another phone's request");
    assert_eq!(refused(Intent { idempotency_key: "key-2", ..intent }), "context_mismatch", "another order");
    assert_eq!(opened(&self::keys(), &sealed, &intent).unwrap_err().reason(), "key_unknown");
    let moved: Sealed<Code> = Sealed::new(sealed.as_str());
    assert_eq!(keys.open(&moved, &intent).unwrap_err().reason(), "purpose_mismatch");
}

#[test]
fn what_is_not_sealed_is_told_from_what_is_sealed_wrongly() {
    let (keys, jkt) = (keys(), thumbprint());
    let intent = Intent { jkt: &jkt, idempotency_key: "key-1" };
    for (text, reason) in [
        (IBAN, "field_in_the_clear"),
        ("", "field_in_the_clear"),
        ("a.b.c", "field_in_the_clear"),
        ("a.b.c.d.e", "token_malformed"),
        (&format!("a.b.c.d.{}", "e".repeat(jwe::MAX_BYTES)), "token_too_large"),
    ] {
        assert_eq!(opened(&keys, &Sealed::new(text), &intent).unwrap_err().reason(), reason, "{text}");
    }
    let digest = intent.digest();
    let parties = Parties { producer: &digest, recipient: Iban::PURPOSE.as_bytes() };
    let seal = |typ, text: &[u8]| Sealed::new(jwe::seal(public(&keys).public_key(), typ, &parties, text).unwrap());
    assert_eq!(opened(&keys, &seal("redoubt-other+jwe", b"x"), &intent).unwrap_err().reason(), "typ_unexpected");
    assert_eq!(opened(&keys, &seal(TYP, &[0xff]), &intent).unwrap_err(), FieldError::Text);
    assert_eq!(opened(&keys, &seal(TYP, IBAN.as_bytes()), &intent).unwrap(), IBAN);
}

#[test]
fn while_a_key_is_replaced_both_open_and_afterwards_only_the_new_one() {
    let [old, new] = [AgreementKey::generate(), AgreementKey::generate()].map(|key| key.to_pkcs8().unwrap());
    let read = |der: &crypto::SecretBytes| AgreementKey::from_pkcs8(der.expose()).unwrap();
    let jkt = thumbprint();
    let intent = Intent { jkt: &jkt, idempotency_key: "key-1" };
    let sealed = |der| seal::<Iban>(&read(der).public().into(), &intent, IBAN).unwrap();
    let (to_old, to_new) = (sealed(&old), sealed(&new));
    let both = OpeningKeys::new(vec![read(&new), read(&old)]).unwrap();
    assert!(opened(&both, &to_old, &intent).is_ok() && opened(&both, &to_new, &intent).is_ok());
    let after = OpeningKeys::new(vec![read(&new)]).unwrap();
    assert!(opened(&after, &to_new, &intent).is_ok());
    assert_eq!(opened(&after, &to_old, &intent).unwrap_err().reason(), "key_unknown");

    assert!(OpeningKeys::new(Vec::new()).is_err(), "none");
    assert!(OpeningKeys::new(vec![read(&new), read(&new)]).is_err(), "the same twice");
    assert!(OpeningKeys::new(vec![read(&new), read(&old), AgreementKey::generate()]).is_err(), "three");
}

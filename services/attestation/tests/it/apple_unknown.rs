//! What Apple adds one day is not a lie: under a good signature or nonce, fields in any order are read, unknown ones noted, and what
//! cannot be read at all is refused without calling it one.

use attestation::evidence::Reason;
use minicbor::Encoder;

use crate::apple_forged::{Forge, assertion, sign, verify};

const VERSION: &str = "apple_bundle_version_01";
const CATEGORY: &str = "apple_validation_category_01";

/// A map of what is put into it, in its order.
fn map(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    cbor.map(fields.len() as u64).unwrap();
    for (name, value) in fields {
        cbor.str(name).unwrap();
        match value {
            Value::Text(text) => cbor.str(text).unwrap(),
            Value::Bytes(bytes) => cbor.bytes(bytes).unwrap(),
            Value::Number(number) => cbor.u32(*number).unwrap(),
            Value::Hashes(count) => {
                (0..*count).fold(cbor.array(u64::from(*count)).unwrap(), |cbor, at| cbor.bytes(&[at; 20]).unwrap())
            }
        };
    }
    cbor.into_writer()
}

#[derive(Clone)]
enum Value {
    Text(&'static str),
    Bytes(Vec<u8>),
    Number(u32),
    Hashes(u8),
}

fn version(text: &'static str) -> (&'static str, Value) {
    (VERSION, Value::Text(text))
}

fn category(number: u32) -> (&'static str, Value) {
    (CATEGORY, Value::Bytes(number.to_le_bytes().to_vec()))
}

fn unknown(name: &'static str) -> (&'static str, Value) {
    (name, Value::Hashes(2))
}

/// Refusals and notes, as codes, of an attestation and of an assertion with this tail.
fn found(tail: &[u8]) -> [(Vec<&'static str>, Vec<&'static str>); 2] {
    let codes = |reasons: &[Reason]| reasons.iter().map(|reason| reason.code()).collect();
    let mut forge = Forge::new();
    forge.tail = tail.to_vec();
    let object = forge.object();
    let examined = forge.examine(&object);
    let key = crypto::p256::SigningKey::generate();
    let object = assertion(&key, &forge.policy.app_id(), 1, tail, true);
    let asserted = match verify(&object, &key.public(), &forge.build, &forge.policy) {
        Ok(asserted) => (vec![], codes(&asserted.notes)),
        Err(failed) => (codes(&failed.refusals), codes(&failed.notes)),
    };
    [(codes(&examined.refusals), codes(&examined.notes)), asserted]
}

#[test]
fn signed_fields_are_read_in_any_order_and_unknown_ones_noted() {
    let noted = vec!["apple.unknown_field"];
    let hashes = [unknown("apple_cd_hash_01"), unknown("apple_cd_hash_type_01")];
    for (name, fields, notes) in [
        ("another order", vec![category(4), version("12")], vec![]),
        ("category alone", vec![category(4)], vec![]),
        ("version alone", vec![version("12")], vec![]),
        ("nothing", vec![], vec![]),
        ("four keys", [vec![version("12")], hashes.to_vec(), vec![category(4)]].concat(), noted.clone()),
        ("only unknown ones", hashes.to_vec(), noted.clone()),
    ] {
        assert_eq!(found(&map(&fields)), [(vec![], notes.clone()), (vec![], notes)], "{name}");
    }
}

/// Tolerance is for what is not known; what is known is still held to the policy.
#[test]
fn an_unknown_field_hides_no_known_one() {
    let noted = vec!["apple.unknown_field"];
    for (name, fields, reason, notes) in [
        ("sideloaded", vec![unknown("a"), category(5), version("12")], "apple.validation_category", noted.clone()),
        ("sideloaded, alone", vec![category(5)], "apple.validation_category", vec![]),
        ("another build", vec![category(4), unknown("a"), version("11")], "evidence.build_mismatch", noted),
    ] {
        assert_eq!(found(&map(&fields)), [(vec![reason], notes.clone()), (vec![reason], notes)], "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_but_is_no_lie_under_a_signature() {
    let long: &'static str = "x".repeat(65).leak();
    let many: Vec<_> = (0..17).map(|at| unknown(format!("field {at}").leak())).collect();
    let good = map(&[version("12"), category(4)]);
    let mut indefinite = good.clone();
    indefinite[0] = 0xbf;
    indefinite.push(0xff);
    for (name, tail) in [
        ("a known key twice", map(&[category(4), version("12"), category(4)])),
        ("an unknown key twice", map(&[unknown("a"), category(4), unknown("a")])),
        ("a version that is no text", map(&[(VERSION, Value::Number(12))])),
        ("a category of another size", map(&[(CATEGORY, Value::Bytes(vec![4]))])),
        ("a category as a number", map(&[(CATEGORY, Value::Number(4))])),
        ("a version of 65 characters", map(&[version(long)])),
        ("a key of 65 characters", map(&[unknown(long)])),
        ("more fields than anybody needs", map(&many)),
        ("no definite length", indefinite),
        ("a byte more", [good.as_slice(), &[0]].concat()),
        ("a byte less", good[..good.len() - 1].to_vec()),
        ("no map", vec![0]),
        ("a map without end", vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ] {
        let refused = (vec!["apple.auth_data_unreadable"], vec![]);
        assert_eq!(found(&tail), [refused.clone(), refused], "{name}");
    }
}

/// The signature comes first: whoever has none is told apart by it, whatever stands in the data.
#[test]
fn nothing_is_tolerated_without_a_signature() {
    for tail in [map(&[unknown("a"), category(4)]), map(&[category(4), category(4)]), vec![0]] {
        let mut forge = Forge::new();
        (forge.tail, forge.nonce) = (tail.clone(), Some([1; 32]));
        assert_eq!(forge.refusals(), [Reason::NonceMismatch]);
        let (key, other) = (crypto::p256::SigningKey::generate(), crypto::p256::SigningKey::generate());
        let object = assertion(&key, &forge.policy.app_id(), 1, &tail, true);
        let failed = verify(&object, &other.public(), &forge.build, &forge.policy);
        assert_eq!(failed.unwrap_err(), Reason::SignatureInvalid.into());
    }
    let mut forge = Forge::new();
    (forge.tail, forge.app_id) = (map(&[unknown("a"), category(4)]), "REDOUBT001.other".to_owned());
    assert_eq!(forge.refusals(), [Reason::AppMismatch], "another app");
}

/// An outer field is signed by nobody, so nothing is read from it; but that it is there is no lie either.
#[test]
fn outer_fields_are_noted_in_any_order_and_none_stands_twice() {
    let mut forge = Forge::new();
    let (certificates, auth_data) = (forge.certificates(), forge.auth_data());
    let object = |order: &[&str]| {
        let mut cbor = Encoder::new(Vec::new());
        cbor.map(order.len() as u64).unwrap();
        for name in order {
            cbor.str(name).unwrap();
            match *name {
                "fmt" => cbor.str("apple-appattest").unwrap(),
                "authData" => cbor.bytes(&auth_data).unwrap(),
                "attStmt" => {
                    cbor.map(3).unwrap().str("receipt").unwrap().bytes(b"receipt").unwrap();
                    cbor.str("more").unwrap().bool(true).unwrap().str("x5c").unwrap().array(2).unwrap();
                    cbor.bytes(&certificates[0]).unwrap().bytes(&certificates[1]).unwrap()
                }
                _ => cbor.bytes(&[7; 32]).unwrap(),
            };
        }
        let found = forge.examine(&cbor.into_writer());
        (found.refusals, found.notes.iter().map(|note| note.code()).collect::<Vec<_>>())
    };
    let good = (vec![], vec!["apple.unknown_field"]);
    assert_eq!(object(&["authData", "cdHash", "attStmt", "fmt"]), good);
    for order in [&["fmt", "attStmt", "authData", "fmt"][..], &["cdHash", "cdHash", "fmt", "attStmt", "authData"]] {
        assert_eq!(object(order).0, [Reason::ObjectMalformed], "{order:?}");
    }
    for missing in ["fmt", "attStmt", "authData"] {
        let rest: Vec<_> =
            ["fmt", "attStmt", "authData", "cdHash"].into_iter().filter(|name| *name != missing).collect();
        assert_eq!(object(&rest).0, [Reason::ObjectMalformed], "without {missing}");
    }

    let key = crypto::p256::SigningKey::generate();
    let (signature, data) = sign(&key, &forge.policy.app_id(), 1, &[], true);
    let assertion = |order: &[&str]| {
        let mut cbor = Encoder::new(Vec::new());
        cbor.map(order.len() as u64).unwrap();
        for name in order {
            let value: &[u8] = match *name {
                "signature" => &signature,
                "authenticatorData" => &data,
                _ => &[7; 32],
            };
            cbor.str(name).unwrap().bytes(value).unwrap();
        }
        verify(&cbor.into_writer(), &key.public(), &forge.build, &forge.policy)
            .map(|asserted| asserted.notes.iter().map(|note| note.code()).collect::<Vec<_>>())
            .map_err(|failed| failed.refusals)
    };
    assert_eq!(assertion(&["authenticatorData", "cdHash", "signature"]), Ok(vec!["apple.unknown_field"]));
    for order in [&["signature", "authenticatorData", "signature"][..], &["signature", "cdHash"], &["cdHash"]] {
        assert_eq!(assertion(order), Err(vec![Reason::ObjectMalformed]), "{order:?}");
    }
}

//! Our sealed fields beside Python's `joserfc`, which nobody here wrote: each opens what the other seals, and neither takes what was changed. How
//! the package comes here, and what happens where it cannot: see `pip`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod pip;

use api::Sealed;
use api::sealed::Field;
use crypto::agreement::{AgreementKey, Parties};
use crypto::{b64, random};
use identity::jwe::{self, RecipientKey};
use identity::sealed_field::{self, Intent, OpeningKeys, TYP};
use identity::{Jwk, Thumbprint};
use serde_json::{Value, json};

const PINNED: &str = "joserfc==1.8.0 --hash=sha256:176b836ac7ed9a46a88629e24076314b475f33a75d0bad7f26146e572eed7c79
typing-extensions==4.16.0 --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
pycparser==3.12 --hash=sha256:a076f3f489b39b43ed13563a1dafe42447445bec2e294154ec5c57fcdda4c85e
";
const COMPILED: &str = "cryptography==50.0.2\ncffi==2.1.1\n";
const CASES: usize = 100;

struct Secret;

impl Field for Secret {
    const PURPOSE: &'static str = "test.secret";
}

struct Case {
    private: Vec<u8>,
    jkt: Thumbprint,
    intent: String,
    text: String,
    sealed: String,
}

impl Case {
    fn new() -> Self {
        let key = AgreementKey::generate();
        let jkt = Jwk::from(AgreementKey::generate().public()).thumbprint();
        let intent = random::token(16);
        // Of every length up to 255, and of more than one byte a character.
        let length = usize::from(random::bytes::<1>()[0]);
        let text: String = std::iter::repeat_n("DE89\u{e9}\u{20ac}", length).collect::<String>();
        let text: String = text.chars().take(length).collect();
        let to = Jwk::from(key.public());
        let sealed = sealed_field::seal::<Secret>(&to, &Intent { jkt: &jkt, idempotency_key: &intent }, &text).unwrap();
        let private = key.to_pkcs8().unwrap().expose().clone();
        Self { private, jkt, intent, text, sealed: sealed.as_str().to_owned() }
    }

    fn key(&self) -> AgreementKey {
        AgreementKey::from_pkcs8(&self.private).unwrap()
    }

    /// The header that ours has: who seals outside needs no more than this.
    fn header(&self) -> Value {
        let bytes = b64::decode(self.sealed.split('.').next().unwrap()).unwrap();
        let mut header: Value = serde_json::from_slice(&bytes).unwrap();
        let members = header.as_object_mut().unwrap();
        members.retain(|name, _| ["typ", "kid", "apu", "apv"].contains(&name.as_str()));
        header
    }

    /// The token with one bit of each part changed, and with another's parties in its header.
    fn changed(&self) -> Vec<String> {
        let parts: Vec<&str> = self.sealed.split('.').collect();
        let with = |at: usize, part: String| {
            let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            parts[at] = part;
            parts.join(".")
        };
        let flipped = |at: usize| {
            let mut bytes = b64::decode(parts[at]).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            with(at, b64::encode(&bytes))
        };
        let header = String::from_utf8(b64::decode(parts[0]).unwrap()).unwrap();
        let purpose = b64::encode(Secret::PURPOSE.as_bytes());
        let other = header.replace(&purpose, &b64::encode(b"test.other_"));
        assert_ne!(other, header);
        let mut changed = vec![flipped(2), flipped(4), with(0, b64::encode(other.as_bytes()))];
        if !self.text.is_empty() {
            changed.push(flipped(3));
        }
        changed
    }

    fn told(&self) -> Value {
        let (base64, what) = (b64::encode_standard(&self.private), "PRIVATE KEY");
        json!({
            "private": format!("-----BEGIN {what}-----\n{base64}\n-----END {what}-----\n"),
            "header": self.header(), "text": b64::encode_standard(self.text.as_bytes()),
            "sealed": self.sealed, "changed": self.changed(),
        })
    }

    fn judge(&self, outcome: &Value) {
        let context = format!("{} {outcome}", self.told());
        assert_eq!(outcome["opened"], b64::encode_standard(self.text.as_bytes()), "{context}");
        assert!(outcome["changed"].as_array().unwrap().iter().all(Value::is_null), "{context}");
        assert_eq!(outcome["kid"], Jwk::from(self.key().public()).thumbprint().as_str(), "{context}");
        let theirs: Sealed<Secret> = serde_json::from_value(outcome["sealed"].clone()).unwrap();
        let keys = OpeningKeys::new(vec![self.key()]).unwrap();
        let intent = Intent { jkt: &self.jkt, idempotency_key: &self.intent };
        assert_eq!(keys.open(&theirs, &intent).unwrap().expose(), &self.text, "{context}");
        let recipient = RecipientKey::from(self.key());
        for token in self.changed() {
            let parties = Parties { producer: b"", recipient: b"" };
            assert!(keys.open::<Secret>(&Sealed::new(token.as_str()), &intent).is_err(), "{context}");
            assert!(jwe::open(&token, TYP, [&recipient], &parties).is_err(), "{context}");
        }
    }
}

#[test]
fn pypis_joserfc_and_we_open_what_the_other_seals() {
    let package = pip::Package { name: "joserfc", version: "1.8.0", pinned: PINNED, compiled: COMPILED };
    let cases: Vec<Case> = std::iter::repeat_with(Case::new).take(CASES).collect();
    let told = cases.iter().map(Case::told).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sealed_fields.py");
    let Some(outcomes) = package.judges(script, &told) else { return };
    assert_eq!(outcomes.len(), cases.len());
    for (case, outcome) in cases.iter().zip(&outcomes) {
        case.judge(outcome);
    }
}

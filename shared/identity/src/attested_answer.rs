//! The signature over an answer to evidence, by a key of the server that the app has pinned.
//!
//! The session key in that answer is sealed to the phone, and anybody can seal: without this signature a proxy whose certificate the phone
//! accepts could hand over a session key of its own, and every answer that it forges afterwards would be rightly signed. Genuine answers and
//! decoys are signed alike, so the signature says who answers and nothing of what was thought.

use crypto::hash::sha256;
use crypto::p256::{PublicKey, SigningKey};
use crypto::{b64, hash};
use serde::{Deserialize, Serialize};

use crate::jose::{self, Header, JoseError};

/// `typ` of the signature.
const TYP: &str = "redoubt-attested+jwt";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    /// SHA-256 of the proof that came with the request, base64url. The device key has signed it over the challenge (good for one request, of one
    /// kind) and over all that the evidence is about, the key that the session key is sealed to among it.
    proof: String,
    /// SHA-256 of the answer's body, base64url.
    body: String,
}

impl Claims {
    fn of(proof: &str, body: &[u8]) -> Self {
        Self { proof: b64::encode(&sha256(proof.as_bytes())), body: b64::encode(&sha256(body)) }
    }
}

/// Signs the body of the answer to the request that came with this proof of possession.
///
/// # Errors
///
/// The signature cannot be made.
pub fn sign(key: &SigningKey, proof: &str, body: &[u8]) -> Result<String, JoseError> {
    jose::sign_es256(key, &Header::new(TYP), &Claims::of(proof, body))
}

/// Whether one of `keys` has signed this body as the answer to the request with this proof.
pub fn verify(signature: &str, keys: &[PublicKey], proof: &str, body: &[u8]) -> bool {
    let Ok(unverified) = jose::parse(signature, TYP) else { return false };
    let expected = Claims::of(proof, body);
    let fits = |claims: Claims| {
        hash::constant_time_eq(claims.proof.as_bytes(), expected.proof.as_bytes())
            && hash::constant_time_eq(claims.body.as_bytes(), expected.body.as_bytes())
    };
    keys.iter().any(|key| unverified.verify_es256::<Claims>(key).is_ok_and(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_of_one_request_one_key_and_to_the_byte() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let (keys, signature) = ([other.public(), key.public()], sign(&key, "proof", b"body").unwrap());
        assert!(verify(&signature, &keys, "proof", b"body"));
        let falsehoods = [
            ("another body", verify(&signature, &keys, "proof", b"bodY")),
            ("another request", verify(&signature, &keys, "prooF", b"body")),
            ("another key", verify(&signature, &[other.public()], "proof", b"body")),
            ("no key", verify(&signature, &[], "proof", b"body")),
            ("no signature", verify("", &keys, "proof", b"body")),
            ("a signature cut off", verify(&signature[..signature.len() - 1], &keys, "proof", b"body")),
        ];
        for (what, accepted) in falsehoods {
            assert!(!accepted, "{what}");
        }
        let foreign = jose::sign_es256(&key, &Header::new("JWT"), &Claims::of("proof", b"body")).unwrap();
        assert!(!verify(&foreign, &keys, "proof", b"body"), "a token of another kind");
    }
}

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

/// What an answer is bound to: the one request that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The challenge of the request, base64url.
    pub challenge: &'a str,
    /// The key that the session key is sealed to, base64url.
    pub session_public_key: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    challenge: String,
    session_public_key: String,
    /// SHA-256 of the answer's body, base64url.
    body: String,
}

/// Signs the body of an answer.
///
/// # Errors
///
/// The signature cannot be made.
pub fn sign(key: &SigningKey, asked: Asked<'_>, body: &[u8]) -> Result<String, JoseError> {
    let claims = Claims {
        challenge: asked.challenge.to_owned(),
        session_public_key: asked.session_public_key.to_owned(),
        body: b64::encode(&sha256(body)),
    };
    jose::sign_es256(key, &Header::new(TYP), &claims)
}

/// Whether one of `keys` has signed this body as the answer to what was asked.
pub fn verify(signature: &str, keys: &[PublicKey], asked: Asked<'_>, body: &[u8]) -> bool {
    let Ok(unverified) = jose::parse(signature, TYP) else { return false };
    let fits = |claims: Claims| {
        claims.challenge == asked.challenge
            && claims.session_public_key == asked.session_public_key
            && hash::constant_time_eq(claims.body.as_bytes(), b64::encode(&sha256(body)).as_bytes())
    };
    keys.iter().any(|key| unverified.verify_es256::<Claims>(key).is_ok_and(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'_> = Asked { challenge: "challenge", session_public_key: "key" };

    #[test]
    fn an_answer_is_of_one_request_one_key_and_to_the_byte() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let (keys, signature) = ([other.public(), key.public()], sign(&key, ASKED, b"body").unwrap());
        assert!(verify(&signature, &keys, ASKED, b"body"));
        let falsehoods = [
            ("another body", verify(&signature, &keys, ASKED, b"bodY")),
            ("another challenge", verify(&signature, &keys, Asked { challenge: "x", ..ASKED }, b"body")),
            ("another session", verify(&signature, &keys, Asked { session_public_key: "x", ..ASKED }, b"body")),
            ("another key", verify(&signature, &[other.public()], ASKED, b"body")),
            ("no key", verify(&signature, &[], ASKED, b"body")),
            ("no signature", verify("", &keys, ASKED, b"body")),
            ("a signature cut off", verify(&signature[..signature.len() - 1], &keys, ASKED, b"body")),
        ];
        for (what, accepted) in falsehoods {
            assert!(!accepted, "{what}");
        }
        let claims = serde_json::json!({"challenge": "challenge", "session_public_key": "key", "body": b64::encode(&sha256(b"body"))});
        let foreign = jose::sign_es256(&key, &Header::new("JWT"), &claims).unwrap();
        assert!(!verify(&foreign, &keys, ASKED, b"body"), "a token of another kind");
    }
}

//! An instance's proof of possession: its device key's word for one challenge, and for the evidence that goes with it.

use crypto::b64;
use crypto::p256::PublicKey;
use serde::{Deserialize, Serialize};

use crate::jose::{self, Header, JoseError};
use crate::{DeviceSigner, evidence, numeric_date};

/// `typ` of the proof.
const TYP: &str = "redoubt-instance-proof+jwt";
/// How old a proof may be, in seconds: the challenge in it lives no longer.
const MAX_AGE: i64 = 120;
/// How far ahead the phone's clock may be, in seconds.
const MAX_AHEAD: i64 = 60;

/// What a proof is about.
#[derive(Debug, Clone, Copy)]
pub struct Proven<'a> {
    /// The challenge as the server wrote it.
    pub challenge: &'a str,
    /// [`evidence::binding`] of the request.
    pub binding: &'a [u8; 32],
    /// The evidence as it stands in the request.
    pub shown: &'a [&'a str],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    challenge: String,
    /// [`evidence::shown`], base64url.
    evidence_hash: String,
    #[serde(deserialize_with = "numeric_date::deserialize")]
    iat: i64,
}

/// The proof that the holder of the device key makes at `now` (Unix time).
///
/// # Errors
///
/// The key does not sign.
pub fn sign(key: &dyn DeviceSigner, proven: &Proven<'_>, now: i64) -> Result<String, JoseError> {
    let Proven { challenge, binding, shown } = *proven;
    let evidence_hash = b64::encode(&evidence::shown(binding, shown));
    jose::sign_es256(key, &Header::new(TYP), &Claims { challenge: challenge.to_owned(), evidence_hash, iat: now })
}

/// Whether the device key has signed exactly this, just now.
pub fn verify(proof: &str, key: &PublicKey, proven: &Proven<'_>, now: i64) -> bool {
    let claims = jose::parse(proof, TYP).and_then(|proof| proof.verify_es256::<Claims>(key));
    claims.is_ok_and(|claims| {
        claims.challenge == proven.challenge
            && claims.evidence_hash == b64::encode(&evidence::shown(proven.binding, proven.shown))
            && (now - MAX_AGE..=now + MAX_AHEAD).contains(&claims.iat)
    })
}

#[cfg(test)]
mod tests {
    use crypto::p256::SigningKey;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_proof_is_of_one_key_one_challenge_one_evidence_and_one_time() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate().public());
        let proven = Proven { challenge: "challenge", binding: &[1; 32], shown: &["a", "b"] };
        let proof = sign(&key, &proven, NOW).unwrap();
        let holds = |proven: &Proven<'_>, key: &PublicKey, now| verify(&proof, key, proven, now);
        for now in [NOW - 60, NOW, NOW + 120] {
            assert!(holds(&proven, &key.public(), now), "{}", now - NOW);
        }
        for now in [NOW - 61, NOW + 121] {
            assert!(!holds(&proven, &key.public(), now), "{}", now - NOW);
        }
        assert!(!holds(&proven, &other, NOW), "another key");
        assert!(!holds(&Proven { challenge: "challengf", ..proven }, &key.public(), NOW), "another challenge");
        assert!(!holds(&Proven { binding: &[2; 32], ..proven }, &key.public(), NOW), "another request");
        assert!(!holds(&Proven { shown: &["a"], ..proven }, &key.public(), NOW), "other evidence");
        let claims = Claims { challenge: String::new(), evidence_hash: String::new(), iat: NOW };
        let foreign = jose::sign_es256(&key, &Header::new("JWT"), &claims).unwrap();
        assert!(!verify(&foreign, &key.public(), &proven, NOW), "a token of another kind");
    }
}

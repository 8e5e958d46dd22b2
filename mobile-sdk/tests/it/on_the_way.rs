//! Who stands between the phone and the attestation service, with a certificate that the phone accepts.

use std::sync::LazyLock;

use api::attestation::{Attested, SealedKey};
use crypto::p256::SigningKey;
use crypto::{b64, hpke};
use identity::{attestation_token, attested_answer, jose};
use serde_json::Value;

use super::server::Reply;

/// Signs answers to evidence; its public half is pinned in the app.
pub(crate) static ANSWER_KEY: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate);

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) enum OnTheWay {
    #[default]
    Nobody,
    /// Puts a session key of its own in the place of the server's.
    Reseals,
    /// Puts a key of its own in the place of the API's, which fields are sealed to.
    Unseals,
    /// Takes the signature away.
    Strips,
    /// Signs with a key of its own.
    SignsItself,
}

impl OnTheWay {
    /// The server signs, and what arrives is this.
    pub(crate) fn pass(self, mut attested: Attested, proof: &str, session_public_key: &[u8]) -> Reply {
        let honest = serde_json::to_vec(&attested).unwrap();
        let signed = |key| attested_answer::sign(key, proof, &honest).unwrap();
        let signature = match self {
            Self::Strips => return Reply::json(201, &attested),
            Self::SignsItself => signed(&SigningKey::generate()),
            Self::Nobody | Self::Reseals | Self::Unseals => signed(&ANSWER_KEY),
        };
        if self == Self::Reseals {
            let token = &mut attested.tokens[0];
            let claims = jose::parse(&token.token, attestation_token::TYP).unwrap().unverified_claims::<Value>();
            let claims = claims.unwrap();
            let jti = claims["jti"].as_str().unwrap().as_bytes();
            let own = hpke::seal(session_public_key, b"redoubt-session-key-v1", jti, &[7; 32]).unwrap();
            token.session_key = SealedKey { enc: b64::encode(&own.enc), ciphertext: b64::encode(&own.ct) };
        }
        if self == Self::Unseals {
            let own = identity::Jwk::from(crypto::agreement::AgreementKey::generate().public());
            attested.tokens[0].sealing_key = Some(own.to_value());
        }
        Reply::json(201, &attested).with("attested-signature", &signature)
    }
}

//! Hybrid public-key encryption (RFC 9180), base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
//!
//! The session key travels to the phone in it, sealed to a key that the device evidence covers.

use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_128 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use thiserror::Error;

use crate::SecretBytes;

/// Why sealing or opening failed; deliberately without detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HpkeError {
    /// The recipient's public key is not a P-256 point.
    #[error("not a valid HPKE public key")]
    PublicKey,
    /// Wrong key, info, additional data or ciphertext.
    #[error("the sealed message does not open")]
    Open,
}

/// A sealed message: the encapsulated key and the ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key (65 bytes).
    pub enc: Vec<u8>,
    /// Ciphertext and tag.
    pub ct: Vec<u8>,
}

/// An ephemeral recipient key. It lives in memory only and is cleared when dropped.
pub struct KeyPair {
    public: Vec<u8>,
    private: HpkePrivateKey,
}

impl KeyPair {
    /// A fresh key pair.
    ///
    /// # Panics
    /// If the operating system gives no randomness.
    #[expect(clippy::expect_used, reason = "fails only without randomness, and then the process must stop")]
    pub fn generate() -> Self {
        let (public, private) = SUITE.generate_key_pair().expect("a P-256 key can be generated");
        Self { public: public.0, private }
    }

    /// The public key to publish, `04 ‖ x ‖ y`, 65 bytes.
    pub fn public(&self) -> Vec<u8> {
        self.public.clone()
    }

    /// Opens a message sealed to this key with the same `info` and `aad`.
    pub fn open(&self, info: &[u8], aad: &[u8], sealed: &Sealed) -> Result<SecretBytes, HpkeError> {
        SUITE
            .open(&EncapsulatedSecret(sealed.enc.clone()), info, aad, &sealed.ct, &self.private)
            .map(SecretBytes::new)
            .map_err(|_| HpkeError::Open)
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(redacted)")
    }
}

/// Seals `plaintext` to the holder of `public`.
pub fn seal(public: &[u8], info: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Sealed, HpkeError> {
    // Checked here, so that only uncompressed points on the curve are ever used.
    crate::p256::PublicKey::from_uncompressed(public).map_err(|_| HpkeError::PublicKey)?;
    SUITE
        .seal(info, aad, plaintext, &HpkePublicKey(public.to_vec()))
        .map(|(enc, ct)| Sealed { enc: enc.0, ct })
        .map_err(|_| HpkeError::PublicKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// RFC 9180 appendix A.3.1, sequence number 0: a message that we did not seal.
    #[test]
    fn the_message_of_rfc_9180_a31_opens() {
        let pair = KeyPair {
            public: Vec::new(),
            private: unhex("f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2").into(),
        };
        let sealed = Sealed {
            enc: unhex(concat!(
                "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9",
                "8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4"
            )),
            ct: unhex(concat!(
                "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f",
                "9076ac232e3ab2523f39513434"
            )),
        };
        let opened = pair.open(b"Ode on a Grecian Urn", b"Count-0", &sealed).unwrap();
        assert_eq!(opened.expose(), b"Beauty is truth, truth beauty");
    }

    #[test]
    fn a_sealed_message_opens() {
        let pair = KeyPair::generate();
        let sealed = seal(&pair.public(), b"info", b"aad", b"session key").unwrap();
        assert_eq!((pair.public().len(), sealed.enc.len()), (65, 65));
        assert_eq!(pair.open(b"info", b"aad", &sealed).unwrap().expose(), b"session key");
    }

    #[test]
    fn another_info_aad_or_key_does_not_open() {
        let pair = KeyPair::generate();
        let sealed = seal(&pair.public(), b"info", b"aad", b"session key").unwrap();
        assert_eq!(pair.open(b"infp", b"aad", &sealed).unwrap_err(), HpkeError::Open);
        assert_eq!(pair.open(b"info", b"aae", &sealed).unwrap_err(), HpkeError::Open);
        assert_eq!(KeyPair::generate().open(b"info", b"aad", &sealed).unwrap_err(), HpkeError::Open);
    }

    #[test]
    fn a_flipped_bit_does_not_open() {
        let pair = KeyPair::generate();
        let sealed = seal(&pair.public(), b"info", b"aad", b"session key").unwrap();
        for (in_enc, at) in [(true, 64), (false, 0), (false, sealed.ct.len() - 1)] {
            let mut bad = sealed.clone();
            let bytes = if in_enc { &mut bad.enc } else { &mut bad.ct };
            bytes[at] ^= 1;
            assert_eq!(pair.open(b"info", b"aad", &bad).unwrap_err(), HpkeError::Open);
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut public = KeyPair::generate().public();
        public[64] ^= 1;
        assert_eq!(seal(&public, b"", b"", b"x"), Err(HpkeError::PublicKey));
        assert_eq!(seal(b"", b"", b"", b"x"), Err(HpkeError::PublicKey));
    }
}

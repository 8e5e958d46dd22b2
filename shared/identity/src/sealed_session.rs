//! A session key on its way to the phone: sealed (HPKE) to the key pair that the phone made for this one exchange, and to one token.

use api::attestation::SealedKey;
use crypto::hpke::{self, HpkeError, KeyPair, Sealed};
use crypto::{SecretBytes, b64};

/// HPKE `info`: these messages are of no other kind.
const INFO: &[u8] = b"redoubt-session-key-v1";

/// Seals the session key of the attestation token `jti` to the holder of `public` (65 bytes, `04 ‖ x ‖ y`).
///
/// # Errors
///
/// That is no P-256 point.
pub fn seal(public: &[u8], jti: &str, session_key: &SecretBytes) -> Result<SealedKey, HpkeError> {
    let sealed = hpke::seal(public, INFO, jti.as_bytes(), session_key.expose())?;
    Ok(SealedKey { enc: b64::encode(&sealed.enc), ciphertext: b64::encode(&sealed.ct) })
}

/// Opens what was sealed to these keys for this token.
///
/// # Errors
///
/// It was not, or it is no base64url.
pub fn open(keys: &KeyPair, jti: &str, sealed: &SealedKey) -> Result<SecretBytes, HpkeError> {
    let bytes = |text: &str| b64::decode(text).map_err(|_| HpkeError::Open);
    keys.open(INFO, jti.as_bytes(), &Sealed { enc: bytes(&sealed.enc)?, ct: bytes(&sealed.ciphertext)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_key_is_opened_by_whom_and_for_what_it_was_sealed() {
        let (keys, other) = (KeyPair::generate(), KeyPair::generate());
        let sealed = seal(&keys.public(), "jti", &SecretBytes::new(vec![7; 32])).unwrap();
        assert_eq!(open(&keys, "jti", &sealed).unwrap().expose(), &[7; 32]);
        assert!(open(&other, "jti", &sealed).is_err() && open(&keys, "jtj", &sealed).is_err());
        let cut = SealedKey { ciphertext: sealed.ciphertext[1..].to_owned(), ..sealed };
        assert!(open(&keys, "jti", &cut).is_err());
        assert!(seal(&[4; 65], "jti", &SecretBytes::new(vec![7; 32])).is_err());
    }
}

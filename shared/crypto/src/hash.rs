//! SHA-256, HMAC-SHA-256, HKDF-SHA-256, PBKDF2-HMAC-SHA-256 and constant-time comparison.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hkdf, hmac, pbkdf2};
use subtle::ConstantTimeEq as _;

/// SHA-256 (FIPS 180-4).
pub fn sha256(message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, message).as_ref());
    out
}

/// Fields in a row, each preceded by its length in bytes (64 bits, big-endian): no two different lists of fields look the same, whatever is in
/// them. What is hashed or authenticated of more than one field is written like this.
pub fn length_prefixed<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        out.extend_from_slice(&(field.len() as u64).to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    HmacKey::new(key).mac(message)
}

/// A key that authenticates many messages: what HMAC makes of it is made once.
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Takes the key's bytes.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// HMAC-SHA-256 of a message (RFC 2104).
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.0, message).as_ref());
        out
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}

/// Whether `tag` is the full HMAC-SHA-256 of `message`, compared in constant time. A truncated tag is not.
pub fn hmac_verify(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    constant_time_eq(&hmac_sha256(key, message), tag)
}

/// HKDF-SHA-256 (RFC 5869): fills `out` from the input key material.
///
/// # Panics
/// Never: aws-lc refuses only a length beyond RFC 5869 §2.3, which is checked when compiling.
#[expect(clippy::expect_used, reason = "a key that was not derived must not be used, and the length is checked")]
pub fn hkdf_sha256<const N: usize>(ikm: &[u8], salt: &[u8], info: &[u8], out: &mut [u8; N]) {
    const { assert!(N <= 255 * 32, "RFC 5869 §2.3: at most 255 blocks") };
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm);
    prk.expand(&[info], Length(N)).and_then(|key| key.fill(out)).expect("the length is within RFC 5869 §2.3");
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2), one block. For proofs of work; passwords are hashed by [`crate::password`].
pub fn pbkdf2_sha256(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> [u8; 32] {
    let mut out = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password, &mut out);
    out
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    #[test]
    fn sha256_of_abc() {
        assert_eq!(sha256(b"abc").to_vec(), unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    }

    /// RFC 7914 §11, as far as one block goes.
    #[test]
    fn pbkdf2_of_rfc_7914() {
        let derived = |password: &[u8], salt: &[u8], iterations| {
            pbkdf2_sha256(password, salt, NonZeroU32::new(iterations).unwrap()).to_vec()
        };
        let one = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc";
        assert_eq!(derived(b"passwd", b"salt", 1), unhex(one));
        let many = "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56";
        assert_eq!(derived(b"Password", b"NaCl", 80_000), unhex(many));
    }

    /// RFC 4231 §4.3, test case 2.
    #[test]
    fn hmac_of_rfc_4231_case_2() {
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(tag.to_vec(), unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
        assert!(hmac_verify(b"Jefe", b"what do ya want for nothing?", &tag));
    }

    #[test]
    fn a_truncated_or_changed_tag_is_refused() {
        let tag = hmac_sha256(b"key", b"message");
        assert!(!hmac_verify(b"key", b"message", &tag[..16]));
        assert!(!hmac_verify(b"key", b"messagf", &tag));
        assert!(!hmac_verify(b"kez", b"message", &tag));
        assert!(!hmac_verify(b"key", b"message", b""));
    }

    /// RFC 5869 appendix A.1.
    #[test]
    fn hkdf_of_rfc_5869_a1() {
        let mut out = [0; 42];
        hkdf_sha256(&[0x0b; 22], &unhex("000102030405060708090a0b0c"), &unhex("f0f1f2f3f4f5f6f7f8f9"), &mut out);
        assert_eq!(
            out.to_vec(),
            unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        );
    }

    /// RFC 5869 appendix A.3: no salt, no info.
    #[test]
    fn hkdf_of_rfc_5869_a3() {
        let mut out = [0; 42];
        hkdf_sha256(&[0x0b; 22], b"", b"", &mut out);
        assert_eq!(
            out.to_vec(),
            unhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        );
    }
}

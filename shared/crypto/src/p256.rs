//! ECDSA on P-256 with SHA-256 (ES256): the one signature of the house, because Secure Enclave, StrongBox and TEE all
//! make it. Signatures travel in the JOSE form, r‖s (RFC 7518 §3.4).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey, UnparsedPublicKey,
};
use thiserror::Error;

/// A key that cannot be used: not P-256, not on the curve, or not in the expected encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a valid P-256 key")]
pub struct KeyError;

/// The signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct VerifyError;

/// A private key, with its public half.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh random key.
    ///
    /// # Panics
    /// If the operating system gives no randomness.
    #[expect(clippy::expect_used, reason = "fails only without randomness, and then the process must stop")]
    pub fn generate() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key can be generated");
        Self::from_pair(pair).expect("a generated key is valid")
    }

    /// Reads an unencrypted PKCS#8 document (DER).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| KeyError)?;
        Self::from_pair(pair)
    }

    fn from_pair(pair: EcdsaKeyPair) -> Result<Self, KeyError> {
        let public = PublicKey::from_uncompressed(pair.public_key().as_ref())?;
        Ok(Self { pair, public })
    }

    /// Signs SHA-256 of the message; r‖s.
    ///
    /// # Panics
    /// If the operating system gives no randomness.
    #[expect(clippy::expect_used, reason = "fails only without randomness, and then the process must stop")]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(&SystemRandom::new(), message).expect("a valid key signs");
        signature.as_ref().try_into().expect("a P-256 signature is 64 bytes")
    }

    /// The public half, which verifies what this key signs.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// A public key, proven to be a point on the curve. Cheap to clone; parsed once.
#[derive(Clone)]
pub struct PublicKey {
    point: [u8; 65],
    parsed: Arc<ParsedPublicKey>,
}

impl PublicKey {
    /// Reads a point in uncompressed SEC 1 form: `04 ‖ x ‖ y`, 65 bytes. Other forms are refused.
    pub fn from_uncompressed(bytes: &[u8]) -> Result<Self, KeyError> {
        let point: [u8; 65] = bytes.try_into().map_err(|_| KeyError)?;
        if point.first() != Some(&4) {
            return Err(KeyError);
        }
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyError)?;
        Ok(Self { point, parsed: Arc::new(parsed) })
    }

    /// Reads the two coordinates, 32 bytes each, big endian.
    pub fn from_xy(x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        if x.len() != 32 || y.len() != 32 {
            return Err(KeyError);
        }
        Self::from_uncompressed(&[&[4], x, y].concat())
    }

    /// The point as `04 ‖ x ‖ y`.
    pub fn as_uncompressed(&self) -> &[u8; 65] {
        &self.point
    }

    /// The x coordinate, 32 bytes.
    pub fn x(&self) -> &[u8] {
        // Default: never empty, a point has 65 bytes.
        self.point.get(1..33).unwrap_or_default()
    }

    /// The y coordinate, 32 bytes.
    pub fn y(&self) -> &[u8] {
        // Default: never empty, a point has 65 bytes.
        self.point.get(33..).unwrap_or_default()
    }

    /// Verifies a signature in JOSE form (r‖s, 64 bytes).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        self.parsed.verify_sig(message, signature).map_err(|_| VerifyError)
    }

    /// Verifies a signature in DER, `SEQUENCE { r, s }` (RFC 3279 §2.2.3): what authenticators make (`WebAuthn` §6.5.5).
    pub fn verify_der(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.point);
        key.verify(message, signature).map_err(|_| VerifyError)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", crate::b64::encode(&self.point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515 appendix A.3: an ES256 signature that we did not make.
    #[test]
    fn the_signature_of_rfc_7515_a3_verifies() {
        let decode = |text| crate::b64::decode(text).unwrap();
        let key = PublicKey::from_xy(
            &decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            &decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        )
        .unwrap();
        let input = concat!(
            "eyJhbGciOiJFUzI1NiJ9.",
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        );
        let signature =
            decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
        assert_eq!(key.verify(input.as_bytes(), &signature), Ok(()));
        assert_eq!(key.verify(b"other", &signature), Err(VerifyError));
    }

    #[test]
    fn a_signature_verifies_only_with_its_key_and_message() {
        let key = SigningKey::generate();
        let signature = key.sign(b"message");
        assert_eq!(key.public().verify(b"message", &signature), Ok(()));
        assert_eq!(key.public().verify(b"messagf", &signature), Err(VerifyError));
        assert_eq!(SigningKey::generate().public().verify(b"message", &signature), Err(VerifyError));
    }

    #[test]
    fn a_signature_of_the_wrong_length_or_all_zero_is_refused() {
        let key = SigningKey::generate();
        let signature = key.sign(b"message");
        assert_eq!(key.public().verify(b"message", &signature[..63]), Err(VerifyError));
        assert_eq!(key.public().verify(b"message", &[0; 64]), Err(VerifyError));
        assert_eq!(key.public().verify(b"message", b""), Err(VerifyError));
    }

    /// RFC 6979 appendix A.2.5, P-256 with SHA-256 over "sample": a signature that we did not make, as DER.
    #[test]
    fn the_signature_of_rfc_6979_a25_verifies_as_der_and_not_in_the_other_form() {
        let bytes = |text| hex::decode(text).unwrap();
        let key = PublicKey::from_xy(
            &bytes("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
            &bytes("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"),
        )
        .unwrap();
        let r = bytes("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
        let s = bytes("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
        // Both begin with a set bit, so each has a zero before it.
        let der = [&[0x30, 0x46, 0x02, 0x21, 0x00], r.as_slice(), &[0x02, 0x21, 0x00], &s].concat();
        assert_eq!(key.verify_der(b"sample", &der), Ok(()));
        assert_eq!(key.verify(b"sample", &[r, s].concat()), Ok(()));
        assert_eq!(key.verify(b"sample", &der), Err(VerifyError));
        assert_eq!(key.verify_der(b"samplf", &der), Err(VerifyError));
        assert_eq!(key.verify_der(b"sample", &[der.as_slice(), &[0]].concat()), Err(VerifyError));
        assert_eq!(key.verify_der(b"sample", b""), Err(VerifyError));
    }

    #[test]
    fn a_key_survives_pkcs8() {
        let key = SigningKey::generate();
        let again = SigningKey::from_pkcs8(key.pair.to_pkcs8v1().unwrap().as_ref()).unwrap();
        assert_eq!(again.public(), key.public());
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut point = *SigningKey::generate().public().as_uncompressed();
        point[64] ^= 1;
        assert_eq!(PublicKey::from_uncompressed(&point), Err(KeyError));
    }

    #[test]
    fn compressed_and_short_points_are_refused() {
        let key = SigningKey::generate().public();
        assert_eq!(PublicKey::from_uncompressed(&[&[2], key.x()].concat()), Err(KeyError));
        assert_eq!(PublicKey::from_xy(&key.x()[1..], key.y()), Err(KeyError));
        assert_eq!(PublicKey::from_uncompressed(&[0]), Err(KeyError));
    }

    #[test]
    fn a_private_key_prints_no_content() {
        assert_eq!(format!("{:?}", SigningKey::generate()), "SigningKey(redacted)");
    }
}

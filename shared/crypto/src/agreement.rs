//! ECDH-ES on P-256 with AES-256-GCM: what stands under a JWE of the house (RFC 7518 §4.6 and §5.3).
//!
//! A sender makes a key pair for one message, agrees a key with the recipient's public key, and forgets his half: who has recorded the message
//! needs the recipient's private key. The Concat KDF of NIST SP 800-56A is written out here, because no library beneath us has it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use thiserror::Error;

use crate::p256::{KeyError, PublicKey};
use crate::{Secret, SecretBytes, hash, random};

/// `enc` of the content encryption, which also is the algorithm that the key is derived for (RFC 7518 §4.6.2).
pub const ENC: &str = "A256GCM";
/// Bytes of the initialization vector.
pub const IV_BYTES: usize = NONCE_LEN;
/// Bytes of the authentication tag.
pub const TAG_BYTES: usize = 16;

/// Wrong key, parties, additional data, initialization vector, tag or ciphertext; deliberately without detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the sealed content does not open")]
pub struct OpenError;

/// Who agrees a key with whom, and what about (RFC 7518 §4.6.1.2 and §4.6.1.3): whoever says anything else agrees another key.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// `apu`, before base64url.
    pub producer: &'a [u8],
    /// `apv`, before base64url.
    pub recipient: &'a [u8],
}

/// A private P-256 key that agrees keys and signs nothing, with its public half.
pub struct AgreementKey {
    private: PrivateKey,
    public: PublicKey,
}

impl AgreementKey {
    /// A fresh random key.
    ///
    /// # Panics
    /// If the operating system gives no randomness.
    #[expect(clippy::expect_used, reason = "fails only without randomness, and then the process must stop")]
    pub fn generate() -> Self {
        let private = PrivateKey::generate(&ECDH_P256).expect("a P-256 key can be generated");
        Self::from_private(private).expect("a generated key is valid")
    }

    /// Reads an unencrypted PKCS#8 document (DER).
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_private(PrivateKey::from_private_key_der(&ECDH_P256, der).map_err(|_| KeyError)?)
    }

    fn from_private(private: PrivateKey) -> Result<Self, KeyError> {
        let public = private.compute_public_key().map_err(|_| KeyError)?;
        let public = PublicKey::from_uncompressed(public.as_ref())?;
        Ok(Self { private, public })
    }

    /// The key as PKCS#8 (DER), to be written to a secret file.
    pub fn to_pkcs8(&self) -> Result<SecretBytes, KeyError> {
        let der: Pkcs8V1Der<'_> = self.private.as_der().map_err(|_| KeyError)?;
        Ok(SecretBytes::new(der.as_ref().to_vec()))
    }

    /// The public half, which others agree keys with.
    pub fn public(&self) -> PublicKey {
        self.public.clone()
    }

    /// The key that only the holders of both private keys can compute. `peer` is a point on the curve, by its type.
    pub fn agree(&self, peer: &PublicKey, parties: &Parties<'_>) -> Result<ContentKey, OpenError> {
        let peer = UnparsedPublicKey::new(&ECDH_P256, peer.as_uncompressed());
        agree(&self.private, peer, OpenError, |shared| concat_kdf(shared, ENC, parties, 256).map(ContentKey))
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgreementKey(redacted)")
    }
}

/// Concat KDF with SHA-256 (RFC 7518 §4.6.2), for keys of at most 256 bits: one round, whose first `bits` are the key.
fn concat_kdf(shared: &[u8], algorithm: &str, parties: &Parties<'_>, bits: u32) -> Result<Secret<[u8; 32]>, OpenError> {
    let mut input = Secret::new(Vec::with_capacity(256));
    let bytes = input.expose_mut();
    bytes.extend_from_slice(&1_u32.to_be_bytes());
    bytes.extend_from_slice(shared);
    for field in [algorithm.as_bytes(), parties.producer, parties.recipient] {
        bytes.extend_from_slice(&u32::try_from(field.len()).map_err(|_| OpenError)?.to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes.extend_from_slice(&bits.to_be_bytes());
    Ok(Secret::new(hash::sha256(bytes)))
}

/// A key for one message.
pub struct ContentKey(Secret<[u8; 32]>);

/// What [`ContentKey::seal`] makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Drawn at random.
    pub iv: [u8; IV_BYTES],
    /// As long as the plaintext.
    pub ciphertext: Vec<u8>,
    /// Over ciphertext and additional data.
    pub tag: [u8; TAG_BYTES],
}

impl ContentKey {
    fn cipher(&self) -> Result<LessSafeKey, OpenError> {
        UnboundKey::new(&AES_256_GCM, self.0.expose()).map(LessSafeKey::new).map_err(|_| OpenError)
    }

    /// Encrypts the one message of this key.
    pub fn seal(self, aad: &[u8], plaintext: &[u8]) -> Result<Content, OpenError> {
        let iv = random::bytes();
        let mut ciphertext = plaintext.to_vec();
        let nonce = Nonce::assume_unique_for_key(iv);
        let sealed = self.cipher()?.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut ciphertext);
        let tag = sealed.map_err(|_| OpenError)?.as_ref().try_into().map_err(|_| OpenError)?;
        Ok(Content { iv, ciphertext, tag })
    }

    /// Decrypts it, if nothing was changed.
    pub fn open(self, aad: &[u8], content: &Content) -> Result<SecretBytes, OpenError> {
        let mut plaintext = SecretBytes::new(content.ciphertext.clone());
        let nonce = Nonce::assume_unique_for_key(content.iv);
        self.cipher()?
            .open_in_place_separate_tag(nonce, Aad::from(aad), &content.tag, plaintext.expose_mut())
            .map_err(|_| OpenError)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::b64;

    const PARTIES: Parties<'static> = Parties { producer: b"Alice", recipient: b"Bob" };

    fn point(x: &str, y: &str) -> PublicKey {
        PublicKey::from_xy(&b64::decode(x).unwrap(), &b64::decode(y).unwrap()).unwrap()
    }

    fn key(d: &str) -> AgreementKey {
        let private = PrivateKey::from_private_key(&ECDH_P256, &b64::decode(d).unwrap()).unwrap();
        AgreementKey::from_private(private).unwrap()
    }

    /// RFC 7518 appendix C: both keys of the example, its Z, and the key that it derives for `A128GCM`.
    #[test]
    fn the_key_of_rfc_7518_appendix_c_is_derived_from_either_side() {
        let alice = key("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
        let bob = key("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
        let published = [
            (
                &alice,
                point("gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"),
            ),
            (&bob, point("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck")),
        ];
        for (key, public) in published {
            assert_eq!(key.public(), public);
        }
        let z = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49, 110, 163, 218, 128,
            106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        for (mine, theirs) in [(&alice, &bob), (&bob, &alice)] {
            let peer = UnparsedPublicKey::new(&ECDH_P256, *theirs.public().as_uncompressed());
            let agreed = agree(&mine.private, peer, OpenError, |shared| Ok(shared.to_vec())).unwrap();
            assert_eq!(agreed, z);
        }
        let derived = concat_kdf(&z, "A128GCM", &PARTIES, 128).unwrap();
        assert_eq!(b64::encode(&derived.expose()[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn who_says_anything_else_agrees_another_key() {
        let base = concat_kdf(&[7; 32], ENC, &PARTIES, 256).unwrap();
        let shifted = Parties { producer: b"AliceB", recipient: b"ob" };
        let others = [
            concat_kdf(&[8; 32], ENC, &PARTIES, 256).unwrap(),
            concat_kdf(&[7; 32], "A128GCM", &PARTIES, 256).unwrap(),
            concat_kdf(&[7; 32], ENC, &PARTIES, 128).unwrap(),
            concat_kdf(&[7; 32], ENC, &Parties { producer: b"Alicf", ..PARTIES }, 256).unwrap(),
            concat_kdf(&[7; 32], ENC, &Parties { recipient: b"Bod", ..PARTIES }, 256).unwrap(),
            concat_kdf(&[7; 32], ENC, &shifted, 256).unwrap(),
        ];
        assert!(others.iter().all(|other| other.expose() != base.expose()));
    }

    #[test]
    fn sealed_content_opens_with_the_same_key_and_additional_data_only() {
        let (sender, recipient) = (AgreementKey::generate(), AgreementKey::generate());
        let agreed = |parties: &Parties<'_>| recipient.agree(&sender.public(), parties).unwrap();
        let content = sender.agree(&recipient.public(), &PARTIES).unwrap().seal(b"aad", b"secret").unwrap();
        assert_ne!(content.ciphertext, b"secret");
        assert_eq!(agreed(&PARTIES).open(b"aad", &content).unwrap().expose(), b"secret");
        let other = Parties { producer: b"Mallory", ..PARTIES };
        assert_eq!(agreed(&other).open(b"aad", &content).unwrap_err(), OpenError);
        assert_eq!(agreed(&PARTIES).open(b"aae", &content).unwrap_err(), OpenError);
        let stranger = AgreementKey::generate().agree(&sender.public(), &PARTIES).unwrap();
        assert_eq!(stranger.open(b"aad", &content).unwrap_err(), OpenError);
        for part in 0..3 {
            let mut bad = content.clone();
            match part {
                0 => bad.iv[0] ^= 1,
                1 => bad.ciphertext[5] ^= 1,
                _ => bad.tag[15] ^= 1,
            }
            assert_eq!(agreed(&PARTIES).open(b"aad", &bad).unwrap_err(), OpenError);
        }
    }

    #[test]
    fn a_key_survives_pkcs8_and_prints_nothing() {
        let key = AgreementKey::generate();
        let again = AgreementKey::from_pkcs8(key.to_pkcs8().unwrap().expose()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(format!("{key:?}"), "AgreementKey(redacted)");
        assert!(AgreementKey::from_pkcs8(b"no key").is_err());
    }
}

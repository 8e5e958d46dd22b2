//! The device key as the platform offers it: it signs, it is never seen.

use crypto::p256::SigningKey;
use thiserror::Error;

use crate::Jwk;

/// The key could not sign: the user cancelled, the device is locked, the key is gone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the device key does not sign: {0}")]
pub struct SignError(pub String);

/// An ES256 key that may live in hardware.
pub trait DeviceSigner: Send + Sync {
    /// The public key that verifies what is signed here.
    fn public(&self) -> Jwk;
    /// Signs SHA-256 of the message; r‖s (RFC 7518 §3.4).
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

impl DeviceSigner for SigningKey {
    fn public(&self) -> Jwk {
        Jwk::from(SigningKey::public(self))
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(SigningKey::sign(self, message))
    }
}

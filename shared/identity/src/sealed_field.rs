//! A field on its way from the phone to the one service that may read it, whoever ends TLS in between: a JWE to a key of that service.
//!
//! What is sealed is tied to the field (`apv`) and to one intent of one instance (`apu`: the device key and the idempotency key). So whoever has
//! recorded it cannot put it into another field, into a request of his own, or into another order of the same phone, to be told what it says. That
//! the request's signature covers it, too, stops strangers; this stops who may sign. A repetition under the same key is sealed anew.
//!
//! The phone learns the service's public key in the answer to its evidence, which a key that is pinned in the app has signed
//! ([`crate::attested_answer`]).

use api::sealed::{Field, Sealed};
use crypto::SecretString;
use crypto::agreement::{AgreementKey, Parties};
use crypto::hash::{length_prefixed, sha256};
use thiserror::Error;

use crate::jwe::{self, JweError, RecipientKey};
use crate::{Jwk, Thumbprint};

/// `typ` of a sealed field.
pub const TYP: &str = "redoubt-field+jwe";
/// What the intent is hashed under.
const INTENT: &[u8] = b"redoubt-sealed-field-v1";

/// Whose intent a sealed field belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// The instance, by its device key.
    pub jkt: &'a Thumbprint,
    /// Its name for what it wants.
    pub idempotency_key: &'a str,
}

impl Intent<'_> {
    fn digest(&self) -> [u8; 32] {
        sha256(&length_prefixed([INTENT, self.jkt.as_str().as_bytes(), self.idempotency_key.as_bytes()]))
    }
}

/// Why a field is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FieldError {
    /// It came in the clear.
    #[error("the field is not sealed")]
    Plain,
    /// It is sealed otherwise than for this field of this intent, or to nobody here.
    #[error(transparent)]
    Sealed(#[from] JweError),
    /// What was sealed is no text.
    #[error("what was sealed is no text")]
    Text,
}

impl FieldError {
    /// A stable word for the audit log.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Plain => "field_in_the_clear",
            Self::Sealed(error) => error.reason(),
            Self::Text => "text_malformed",
        }
    }
}

/// Seals the text of the field `F` to a service's key.
///
/// # Errors
///
/// The text is too long.
pub fn seal<F: Field>(key: &Jwk, intent: &Intent<'_>, text: &str) -> Result<Sealed<F>, JweError> {
    let digest = intent.digest();
    let parties = Parties { producer: &digest, recipient: F::PURPOSE.as_bytes() };
    jwe::seal(key.public_key(), TYP, &parties, text.as_bytes()).map(Sealed::new)
}

/// The keys that a service opens fields with: the one that is given out, and while it is replaced its neighbor.
#[derive(Debug)]
pub struct OpeningKeys(Vec<RecipientKey>);

/// A service has one key or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("fields are sealed to one key, or while it is replaced to two that differ")]
pub struct KeysError;

impl OpeningKeys {
    /// One key, or two that differ.
    ///
    /// # Errors
    ///
    /// There are none, more, or the same twice.
    pub fn new(keys: Vec<AgreementKey>) -> Result<Self, KeysError> {
        match keys.as_slice() {
            [_] => {}
            [one, other] if one.public() != other.public() => {}
            _ => return Err(KeysError),
        }
        Ok(Self(keys.into_iter().map(RecipientKey::from).collect()))
    }

    /// The public halves, each under its name, in the order given.
    pub fn public(&self) -> impl Iterator<Item = Jwk> {
        self.0.iter().map(RecipientKey::public)
    }

    /// Opens the field `F` of this intent.
    ///
    /// # Errors
    ///
    /// [`FieldError`]: the operator is told which, the sender is not.
    pub fn open<F: Field>(&self, sealed: &Sealed<F>, intent: &Intent<'_>) -> Result<SecretString, FieldError> {
        // Nothing that is sealed has dots in the clear, and a compact JWE has four.
        if sealed.as_str().bytes().filter(|byte| *byte == b'.').count() != 4 {
            return Err(FieldError::Plain);
        }
        let digest = intent.digest();
        let parties = Parties { producer: &digest, recipient: F::PURPOSE.as_bytes() };
        let opened = jwe::open(sealed.as_str(), TYP, &self.0, &parties)?;
        std::str::from_utf8(opened.expose()).map(SecretString::from).map_err(|_| FieldError::Text)
    }
}

#[cfg(test)]
mod tests;

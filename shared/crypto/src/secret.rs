//! Values that must not be printed, logged or serialized, and that are cleared from memory when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// A secret. It can be read only through [`Secret::expose`], so that every use can be found by searching for that word.
///
/// It can be deserialized (a password arrives in a request) but never serialized.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

/// Secret bytes: keys, decrypted records.
pub type SecretBytes = Secret<Vec<u8>>;
/// Secret text: passwords, bearer tokens, database URLs.
pub type SecretString = Secret<String>;

impl<T: Zeroize> Secret<T> {
    /// Takes the value into custody.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. Do not copy it into something that prints or outlives its use.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The value, to fill it in place (a buffer that is read into).
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl From<&str> for SecretString {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(value: &[u8]) -> Self {
        Self::new(value.to_vec())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_no_content() {
        let printed = format!("{:?}", SecretString::from("correct horse"));
        assert_eq!(printed, "Secret(redacted)");
    }
}

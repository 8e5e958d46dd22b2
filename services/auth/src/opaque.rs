//! Values that let their holder in and mean nothing by themselves: `request_uri`, cookie, code, refresh token.
//!
//! Invariant: 256 random bits, shown once, stored as SHA-256 only. A plain hash is enough for a value that nobody can guess.

use std::fmt;

use crypto::{b64, hash, random};

const BYTES: usize = 32;

/// SHA-256 of an opaque value: what the database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(pub Vec<u8>);

impl Digest {
    /// The digest of a value that somebody presents.
    pub fn of(value: &str) -> Self {
        Self(hash::sha256(value.as_bytes()).to_vec())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64::encode(&self.0))
    }
}

/// A new value, 43 characters of base64url.
pub fn mint() -> String {
    random::token(BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_256_bits_and_its_digest_does_not_show_it() {
        let value = mint();
        assert_eq!(value.len(), 43);
        assert_ne!(value, mint());
        assert_eq!(Digest::of(&value), Digest::of(&value));
        assert!(!Digest::of(&value).0.starts_with(value.as_bytes()));
    }
}

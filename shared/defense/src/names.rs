//! What stands in a memory or in Redis for a key or its owner: a hash under a key of the store.
//!
//! So nothing personal lies there: not even an IPv4 address, of which there are few enough to try a plain hash of each. And nobody outside can
//! choose keys whose hashes lie together.

use crypto::hash::{self, HmacKey};

/// A hashed key.
pub(crate) type Name = [u8; 32];

/// The naming of one store.
pub(crate) struct Names {
    key: HmacKey,
}

impl Names {
    /// Names that only this process understands.
    pub(crate) fn of_this_process() -> Self {
        Self::under(&crypto::random::bytes::<32>())
    }

    /// Names that all processes with this key have in common.
    pub(crate) fn under(key: &[u8]) -> Self {
        Self { key: HmacKey::new(key) }
    }

    /// HMAC-SHA-256 over the fields, each preceded by its length: the first ones say what kind of thing is named.
    pub(crate) fn name(&self, fields: &[&[u8]]) -> Name {
        self.key.mac(&hash::length_prefixed(fields.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_the_key_and_on_where_one_field_ends() {
        let names = Names::under(&[1; 32]);
        assert_eq!(names.name(&[b"user", b"7"]), names.name(&[b"user", b"7"]));
        assert_ne!(names.name(&[b"user", b"7"]), names.name(&[b"use", b"r7"]));
        assert_ne!(names.name(&[b"user", b"7"]), Names::of_this_process().name(&[b"user", b"7"]));
    }
}

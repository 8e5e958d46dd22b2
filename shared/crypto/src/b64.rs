//! base64 as RFC 4648 writes it, strictly: one text per byte string.
//!
//! Strict because tokens are compared and hashed as text: unused trailing bits, padding where there is none, or
//! whitespace would give one signature several spellings.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use thiserror::Error;

/// The text is not canonical base64 of the expected alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not canonical base64")]
pub struct DecodeError;

/// Encodes as base64url without padding (RFC 7515 §2), the form of JOSE.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding.
pub fn decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| DecodeError)
}

/// Encodes as standard base64 with padding (RFC 4648 §4), the form of X.509 chains and HTTP digests.
pub fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64 with padding.
pub fn decode_standard(text: &str) -> Result<Vec<u8>, DecodeError> {
    STANDARD.decode(text).map_err(|_| DecodeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_round_trips_without_padding() {
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
    }

    #[test]
    fn padding_is_refused() {
        assert_eq!(decode("-_8="), Err(DecodeError));
    }

    #[test]
    fn the_other_alphabet_is_refused() {
        assert_eq!(decode("+/8"), Err(DecodeError));
        assert_eq!(decode_standard("-_8="), Err(DecodeError));
    }

    #[test]
    fn unused_trailing_bits_are_refused() {
        assert_eq!(decode("-_9"), Err(DecodeError));
    }

    #[test]
    fn whitespace_is_refused() {
        assert_eq!(decode("-_ 8"), Err(DecodeError));
        assert_eq!(decode("-_8\n"), Err(DecodeError));
    }
}

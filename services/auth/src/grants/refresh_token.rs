//! The text of a refresh token, and how long it is good for.

use crypto::{b64, hash};

use crate::opaque::{self, Digest};

/// What secret scanners look for.
const PREFIX: &str = "rdrt_";
const CHECKSUM: usize = 6;
const DAY: i64 = 86_400;
/// Seconds without use after which it is refused.
pub(super) const IDLE: i64 = 30 * DAY;
/// Seconds after which it is refused in any case.
pub(super) const LIFETIME: i64 = 90 * DAY;

/// A new refresh token.
pub(crate) struct Minted {
    pub(crate) text: String,
    pub(crate) digest: Digest,
}

/// `rdrt_`, 256 random bits, a checksum by which a mistyped or shortened one is refused without a look into the database.
pub(crate) fn mint() -> Minted {
    let body = format!("{PREFIX}{}", opaque::mint());
    let text = format!("{body}{}", checksum(&body));
    Minted { digest: Digest::of(&text), text }
}

fn checksum(body: &str) -> String {
    b64::encode(&hash::sha256(body.as_bytes())).chars().take(CHECKSUM).collect()
}

/// Whether it can be one of ours at all.
pub(crate) fn is_well_formed(token: &str) -> bool {
    let body = token.len().checked_sub(CHECKSUM).and_then(|at| token.split_at_checked(at));
    body.is_some_and(|(body, sum)| body.starts_with(PREFIX) && checksum(body) == sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_carries_its_prefix_and_checksum() {
        let token = mint().text;
        assert_eq!((token.len(), token.starts_with(PREFIX), is_well_formed(&token)), (54, true, true));
        assert_ne!(token, mint().text);
    }

    #[test]
    fn a_changed_or_shortened_one_is_seen() {
        let token = mint().text;
        let mut changed = token.clone().into_bytes();
        changed[10] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        for wrong in [changed.as_str(), &token[1..], &token[..token.len() - 1], "", "rdrt_", "ä", "äääääää"] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }
}

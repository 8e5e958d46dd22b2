//! Recovery codes: 80 random bits each, in letters that people can copy from paper.
//!
//! They are stored as a keyed hash and not as argon2: nobody guesses 80 bits, so there is nothing to slow down, one code is found among ten by one look-up, and
//! whoever has the database alone cannot even try.

use crypto::{SecretString, random};

use crate::error::Invariant;
use crate::ids::UserId;
use crate::opaque::Digest;
use crate::provider::Provider;

/// How many a person has.
pub(super) const COUNT: usize = 10;
const BYTES: usize = 10;
const CHARACTERS: usize = 16;
const GROUP: usize = 4;

/// New codes of a person, and under what they are found.
pub(super) fn set(provider: &Provider, user: UserId) -> Result<(Vec<SecretString>, Vec<Digest>), Invariant> {
    let codes = mint();
    let found_under = |code: &SecretString| normalize(code.expose()).map(|code| digest(provider, user, &code));
    let digests: Option<Vec<Digest>> = codes.iter().map(found_under).collect();
    Ok((codes, digests.ok_or(Invariant("a recovery code that is none was made"))?))
}

/// New codes, as they are shown.
fn mint() -> Vec<SecretString> {
    (0..COUNT).map(|_| SecretString::new(shown(&letters(random::bytes::<BYTES>())))).collect()
}

/// The alphabet of base32 (RFC 4648 §6), in which no two letters are taken for each other: it has no 0, 1 or 8.
fn letters(bytes: [u8; BYTES]) -> String {
    totp_rs::Secret::from(bytes.to_vec()).to_base32().to_lowercase()
}

fn shown(letters: &str) -> String {
    let letters: Vec<char> = letters.chars().collect();
    letters.chunks(GROUP).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// The one spelling of what somebody typed, if it can be a recovery code at all.
pub(super) fn normalize(typed: &str) -> Option<String> {
    let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_lowercase).collect();
    let ours = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
    (code.len() == CHARACTERS && code.bytes().all(ours)).then_some(code)
}

/// Under what a code of this person is found.
pub(super) fn digest(provider: &Provider, user: UserId, code: &str) -> Digest {
    provider.directory.recovery(user, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_was_copied() {
        let codes = mint();
        assert_eq!(codes.len(), 10);
        for code in &codes {
            let shown = code.expose();
            assert_eq!((shown.len(), shown.matches('-').count()), (19, 3), "{shown}");
            let letters = shown.replace('-', "");
            for typed in [shown.clone(), shown.to_uppercase(), letters.clone(), shown.replace('-', " ")] {
                assert_eq!(normalize(&typed).as_deref(), Some(letters.as_str()), "{typed}");
            }
        }
        for wrong in ["", "123456", "abcd-efgh-ijkl-mno1", "abcd-efgh-ijkl-mno", "abcd-efgh-ijkl-mnopq"] {
            assert_eq!(normalize(wrong), None, "{wrong}");
        }
    }
}

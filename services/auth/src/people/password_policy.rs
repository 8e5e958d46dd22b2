//! Which passwords may be chosen (NIST SP 800-63B-4 §3.1.1): long enough to stand alone, not one that is guessed first, and
//! no rules about what it must be made of.

use std::fmt;

use crypto::SecretString;
use crypto::password::MAX_PASSWORD_BYTES;
use zxcvbn::feedback::{Feedback, Warning};
use zxcvbn::{Score, zxcvbn};

/// The password is the only factor of whoever has set up no other, so 15.
pub const MIN_CHARACTERS: usize = 15;
const MIN_DIFFERENT: usize = 5;
/// At least 10^8 guesses, by the estimate of zxcvbn (Wheeler, USENIX Security 2016): what its authors call safe against somebody who
/// has the hashes, if these are slow. Ours are argon2id.
const MIN_SCORE: Score = Score::Three;
/// How much of it is judged. The estimate looks at every part of the text under every reading of the signs that stand for letters: 100 characters
/// made for it took 7.5 s on a busy machine with two cores, 32 of them 0.5 s, and as [`plain`] leaves them 25 ms, less than the hash takes.
const JUDGED_CHARACTERS: usize = 32;

/// Passwords of 15 characters and more that lists of stolen passwords begin with, reduced as [`reduce`] does. Short ones
/// need no list.
const COMMON: [&str; 24] = [
    "123456789012345",
    "1234567890123456",
    "12345678901234567890",
    "123456789123456",
    "123456789123456789",
    "1qaz2wsx3edc4rfv",
    "1qaz2wsx3edc4rfv5tgb",
    "1q2w3e4r5t6y7u8i",
    "1q2w3e4r5t6y7u8i9o0p",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    "correcthorsebatterystaple",
    "iloveyouiloveyou",
    "letmeinletmein1",
    "password1234567",
    "password12345678",
    "passwordpassword",
    "passwordpassword1",
    "qazwsxedcrfvtgb",
    "qazwsxedcrfvtgbyhnujm",
    "qwertyqwertyqwerty",
    "qwertyuiopasdfgh",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
];

/// Why a password cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weakness {
    /// Fewer than [`MIN_CHARACTERS`].
    TooShort,
    /// More than can be hashed.
    TooLong,
    /// One of those that are tried first.
    Common,
    /// Made of the person's own address or name.
    Personal,
    /// Long, and guessed all the same: repeats, rows of keys, dates, well-known words.
    Guessable(Option<Warning>),
}

/// What the person reads.
impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "The password needs at least 15 characters.",
            Self::TooLong => "The password is longer than 256 bytes.",
            Self::Common => "This password is one of those that are guessed first. Choose another.",
            Self::Personal => "The password must not be your name or address.",
            Self::Guessable(None) => "This password is easy to guess. Take a few words that do not belong together.",
            Self::Guessable(Some(why)) => return write!(f, "{why} {}", Self::Guessable(None)),
        })
    }
}

/// Checks a password that somebody chooses.
pub(super) fn check(password: &SecretString, email: &str, name: &str) -> Result<(), Weakness> {
    let text = password.expose();
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(Weakness::TooLong);
    }
    if text.chars().count() < MIN_CHARACTERS {
        return Err(Weakness::TooShort);
    }
    let reduced = reduce(text);
    let mut different: Vec<char> = reduced.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < MIN_DIFFERENT || COMMON.contains(&reduced.as_str()) {
        return Err(Weakness::Common);
    }
    let (local, _) = email.split_once('@').unwrap_or((email, ""));
    let own = [email, local, name, "redoubt"];
    for own in own.map(reduce) {
        // What is left beside one's own name must still be a password.
        let rest = reduced.chars().count().saturating_sub(own.chars().count());
        if own.chars().count() >= 4 && reduced.contains(&own) && rest < 8 {
            return Err(Weakness::Personal);
        }
    }
    let judged: String = text.chars().take(JUDGED_CHARACTERS).map(plain).collect();
    let estimate = zxcvbn(&judged, &own);
    if estimate.score() < MIN_SCORE {
        return Err(Weakness::Guessable(estimate.feedback().and_then(Feedback::warning)));
    }
    Ok(())
}

/// Another sign for the rarer ones that zxcvbn reads as letters. What many people write, `@`, `$` and digits, is read.
const fn plain(character: char) -> char {
    match character {
        '(' => ')',
        '{' => '}',
        '[' => ']',
        '<' => '>',
        '!' => '?',
        '|' => '/',
        '+' => '-',
        '%' => '&',
        other => other,
    }
}

/// Case and separators make no other password for somebody who guesses.
fn reduce(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(password: &str) -> Result<(), Weakness> {
        check(&SecretString::from(password), "alice.adams@example.org", "Alice Adams")
    }

    #[test]
    fn long_and_unguessed_is_enough() {
        for good in
            ["blue tractor under the pier", "зелёный чайник на крыше", "aB3$aB3$kk!!zz??", "xkcd 936 but not that one"]
        {
            assert_eq!(outcome(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn each_weakness_is_seen() {
        assert_eq!(outcome("fourteen chars"), Err(Weakness::TooShort));
        assert_eq!(outcome(&"longer than that ".repeat(16)), Err(Weakness::TooLong));
        assert_eq!(outcome("Password-Password!"), Err(Weakness::Common));
        assert_eq!(outcome("Correct Horse Battery Staple"), Err(Weakness::Common));
        assert_eq!(outcome("abababababababababab"), Err(Weakness::Common));
        assert_eq!(outcome("1234567890123456"), Err(Weakness::Common));
        assert_eq!(outcome("alice.adams@example.org"), Err(Weakness::Personal));
        assert_eq!(outcome("AliceAdams-2026"), Err(Weakness::Personal));
    }

    #[test]
    fn long_and_guessed_all_the_same_is_seen_and_the_person_reads_why() {
        for (guessed, why) in [
            ("Summer2024Summer2024", "Repeats like"),
            ("P@ssw0rdP@ssw0rd1", "Repeats like"),
            ("qwertyuiop123456", "similar to a commonly used password"),
            ("fghijklmnopqrstuv", "Sequences like abc"),
        ] {
            let message = outcome(guessed).unwrap_err().to_string();
            assert!(
                message.contains(why) && message.contains("easy to guess. Take a few words"),
                "{guessed}: {message}"
            );
        }
    }

    #[test]
    fn signs_that_nobody_reads_as_letters_count_as_signs() {
        assert_eq!(outcome("kqvwz$%&/()=?{[]}<|>+!"), Ok(()));
    }
}

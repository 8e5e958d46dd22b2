//! What is said of a payee's name. No I/O.

use api::broker::{NameChecked, NameWord};
use api::payees::NameCheck;
use api::text::{Flaw, HOLDER_NAME};

/// Whether an account belongs to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::AsRefStr, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Word {
    Match,
    /// It has another name that is much like it.
    CloseMatch,
    NoMatch,
    /// Whoever keeps the account could not say, or nobody did.
    NotPossible,
}

/// How one asking came out, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub word: Word,
    /// The name that the account has: of a close match, and of nothing else.
    pub holder: Option<String>,
    /// Nobody answered, or not in the agreed way: it can be asked again.
    pub silent: bool,
}

/// The partner's answer is not the agreed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAgreed(&'static str);

impl Told {
    /// Of who did not answer.
    pub const SILENCE: Self = Self { word: Word::NotPossible, holder: None, silent: true };

    /// Of an answer. A name is taken of a close match only: of another word it would tell whose account it is to whoever guesses.
    pub fn heard(answer: NameChecked) -> Result<Self, NotAgreed> {
        let told = |word, holder| Self { word, holder, silent: false };
        Ok(match answer.word {
            NameWord::Match => told(Word::Match, None),
            NameWord::NoMatch => told(Word::NoMatch, None),
            NameWord::NotPossible => told(Word::NotPossible, None),
            NameWord::CloseMatch => {
                let holder = answer.holder.ok_or(NotAgreed("a close match without a name"))?;
                if Flaw::of(&holder).is_some() {
                    return Err(NotAgreed("a name with characters that are not seen"));
                }
                if holder.trim().is_empty() || holder.chars().nth(HOLDER_NAME).is_some() {
                    return Err(NotAgreed("a name that is empty or too long"));
                }
                told(Word::CloseMatch, Some(holder))
            }
        })
    }
}

/// As it travels. What is not whole is told as if nobody had been asked, and never as a match.
pub fn wire(word: Option<Word>, holder: Option<String>, checked_at: Option<String>) -> NameCheck {
    match (word, holder, checked_at) {
        (Some(Word::Match), None, Some(checked_at)) => NameCheck::Match { checked_at },
        (Some(Word::CloseMatch), Some(holder), Some(checked_at)) => NameCheck::CloseMatch { holder, checked_at },
        (Some(Word::NoMatch), None, Some(checked_at)) => NameCheck::NoMatch { checked_at },
        (Some(Word::NotPossible), None, Some(checked_at)) => NameCheck::NotPossible { checked_at },
        _ => NameCheck::NotChecked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(word: NameWord, holder: Option<&str>) -> Result<Told, NotAgreed> {
        Told::heard(NameChecked { word, holder: holder.map(str::to_owned) })
    }

    #[test]
    fn a_name_is_taken_of_a_close_match_and_of_nothing_else() {
        for (said, word) in [
            (NameWord::Match, Word::Match),
            (NameWord::NoMatch, Word::NoMatch),
            (NameWord::NotPossible, Word::NotPossible),
        ] {
            let told = heard(said, Some("Carol Carter")).unwrap();
            assert_eq!(told, Told { word, holder: None, silent: false });
        }
        let told = heard(NameWord::CloseMatch, Some("Carol Carter")).unwrap();
        assert_eq!(told, Told { word: Word::CloseMatch, holder: Some("Carol Carter".to_owned()), silent: false });
    }

    #[test]
    fn a_name_that_nobody_could_read_is_no_answer() {
        let close = |holder: &str| heard(NameWord::CloseMatch, Some(holder));
        assert!(close(&"x".repeat(140)).is_ok() && close("<b>Carol</b>").is_ok());
        for holder in ["", "   ", "Carol\nCarter", "Carol\u{0}", "lorac\u{202e}", "Car\u{200b}ol", &"x".repeat(141)] {
            assert!(close(holder).is_err(), "{holder:?}");
        }
        assert!(heard(NameWord::CloseMatch, None).is_err());
    }

    #[test]
    fn half_a_word_is_told_as_none() {
        let at = || Some("2026-11-28T18:00:00.000Z".to_owned());
        assert_eq!(wire(None, None, None), NameCheck::NotChecked);
        assert_eq!(wire(Some(Word::Match), None, None), NameCheck::NotChecked);
        assert_eq!(wire(Some(Word::CloseMatch), None, at()), NameCheck::NotChecked);
        assert!(matches!(wire(Some(Word::Match), None, at()), NameCheck::Match { .. }));
    }
}

//! A note, and what it may say.

use api::__name__ as wire;
use api::text::Flaw;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::error::Error;
use crate::ids::NoteId;

/// What a note says: one character or more, each of them seen, and not only spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// The words of a text of at most `longest` characters.
    pub(super) fn of(text: &'a str, longest: usize) -> Result<Self, Error> {
        let wrong = |says| Err(Error::Invalid { field: "text", says });
        match Flaw::of(text) {
            Some(flaw) => wrong(flaw.into()),
            None if text.trim().is_empty() => wrong("is empty"),
            None if text.chars().nth(longest).is_some() => wrong("is too long"),
            None => Ok(Self(text)),
        }
    }

    pub(super) const fn as_str(&self) -> &'a str {
        self.0
    }
}

/// A note as it was written.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) id: NoteId,
    pub(super) text: String,
    /// The workload that wrote it, by its certificate.
    pub(super) written_by: String,
    /// By the service's clock.
    pub(super) written_at: DateTime<Utc>,
}

impl Note {
    /// As it travels.
    pub(super) fn wire(self) -> wire::Note {
        wire::Note {
            id: self.id.into(),
            text: self.text,
            written_by: self.written_by,
            written_at: self.written_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_seen_and_within_their_limit() {
        let refused = |text: &str| Words::of(text, 5).err().map(|error| error.to_string());
        for fits in ["a", "äöüßx", " a ", "a b c"] {
            assert_eq!(refused(fits), None, "{fits}");
            assert_eq!(Words::of(fits, 5).unwrap().as_str(), fits);
        }
        for (text, says) in [
            ("", "text: is empty"),
            ("   ", "text: is empty"),
            ("äöüßxy", "text: is too long"),
            ("a\nb", "text: has control characters"),
            ("a\u{202e}b", "text: has characters that are not seen"),
        ] {
            assert_eq!(refused(text).as_deref(), Some(says), "{text:?}");
        }
    }
}

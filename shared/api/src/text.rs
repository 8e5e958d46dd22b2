//! Texts that one person writes and another reads: a name, a reference, a creditor.
//!
//! What must hold: every character of it is seen, or is a space. What is not seen can turn the rest round (U+202E makes
//! `001.00` of `00.100`), make two payees look like one, or carry what nobody wrote. So these are refused, and dropped from
//! the text of a partner whose money has arrived:
//! - control characters (category Cc), line and paragraph separators (Zl, Zp);
//! - format characters (Cf): bidirectional controls, zero-width spaces and joiners, tags, the byte order mark;
//! - what else Unicode calls default-ignorable: variation selectors, fillers; and the braille pattern without a dot;
//! - private use and noncharacters, which every machine shows in its own way.
//!
//! The price, said plainly: emoji that are joined of several, or that name their style by a variation selector, and the
//! joiners of Persian and Indic orthography are refused with the rest. Not decided here: letters that look alike in two
//! scripts, and Unicode normalization. Texts are compared and stored as they were sent, so nothing rests on either.

/// Characters of the name of an account at most.
pub const ACCOUNT_NAME: usize = 60;
/// Characters of a payee's name at most.
pub const CREDITOR_NAME: usize = 70;
/// Characters of the name that an account has at another bank at most.
pub const HOLDER_NAME: usize = 140;
/// Characters of a reference at most.
pub const REFERENCE: usize = 140;

/// What is wrong with a text. Its own text is what stands in a refusal, after the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::IntoStaticStr)]
pub enum Flaw {
    /// It has a line break or another control character.
    #[strum(serialize = "has control characters")]
    Control,
    /// It has a character that is not seen.
    #[strum(serialize = "has characters that are not seen")]
    Unseen,
}

impl Flaw {
    /// The first flaw of a text, if it has one.
    pub fn of(text: &str) -> Option<Self> {
        let flawed = text.chars().find(|c| !is_seen(*c))?;
        Some(if flawed.is_control() { Self::Control } else { Self::Unseen })
    }
}

/// Without the characters that are not seen.
pub fn seen(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| is_seen(*c))
}

/// First and last of the characters that a reader does not see. Unicode 17: `Cf`, `Zl`, `Zp`, `Co`, `Default_Ignorable_Code_Point` and
/// noncharacters; from U+E0000 on there is nothing else.
const UNSEEN: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{3fffe}', '\u{3ffff}'),
    ('\u{4fffe}', '\u{4ffff}'),
    ('\u{5fffe}', '\u{5ffff}'),
    ('\u{6fffe}', '\u{6ffff}'),
    ('\u{7fffe}', '\u{7ffff}'),
    ('\u{8fffe}', '\u{8ffff}'),
    ('\u{9fffe}', '\u{9ffff}'),
    ('\u{afffe}', '\u{affff}'),
    ('\u{bfffe}', '\u{bffff}'),
    ('\u{cfffe}', '\u{cffff}'),
    ('\u{dfffe}', '\u{dffff}'),
    ('\u{e0000}', char::MAX),
];
/// Control characters (category Cc).
const CONTROL: &[(char, char)] = &[('\0', '\u{1f}'), ('\u{7f}', '\u{9f}')];
/// What is white space and neither of these (Unicode's `White_Space`).
const SPACES: &[(char, char)] = &[
    (' ', ' '),
    ('\u{a0}', '\u{a0}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{2000}', '\u{200a}'),
    ('\u{202f}', '\u{202f}'),
    ('\u{205f}', '\u{205f}'),
    ('\u{3000}', '\u{3000}'),
];

/// Whether a reader sees it or it is a space.
fn is_seen(c: char) -> bool {
    !(c.is_control() || UNSEEN.iter().any(|(first, last)| (first..=last).contains(&&c)))
}

/// The same as a regular expression (ECMA-262, as JSON Schema has it): texts without a flaw and, if `spoken`, not of spaces alone.
pub(crate) fn pattern(spoken: bool) -> String {
    let class = |ranges: &[&[(char, char)]]| {
        let range = |(first, last): &(char, char)| format!("{}-{}", spelled(*first), spelled(*last));
        ranges.concat().iter().map(range).collect::<String>()
    };
    let seen = format!("[^{}]", class(&[CONTROL, UNSEEN]));
    if spoken { format!("^{seen}*[^{}]{seen}*$", class(&[CONTROL, UNSEEN, SPACES])) } else { format!("^{seen}*$") }
}

/// In a class of characters, so that every dialect reads it: beyond four digits there is none that all do, so there it stands itself.
fn spelled(c: char) -> String {
    match u32::from(c) {
        code @ ..=0xffff => format!("\\u{code:04x}"),
        _ => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_seen() {
        for text in
            ["", "Zoë O’Hara", "Grüße", "家賃 2026-11", "إيجار الشقة", "דירה", "कमरा", "Dinner 🍝 №7 – ½ €", "e\u{301}"]
        {
            assert_eq!(Flaw::of(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_seen_is_a_flaw() {
        let bidi = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'];
        let width = ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{fe0f}', '\u{e0100}'];
        let blank = ['\u{115f}', '\u{3164}', '\u{ffa0}', '\u{2800}', '\u{17b4}'];
        let other =
            ['\u{2028}', '\u{2029}', '\u{e0041}', '\u{e000}', '\u{10fffd}', '\u{fdd0}', '\u{1ffff}', '\u{fff9}'];
        for c in bidi.into_iter().chain(width).chain(blank).chain(other) {
            assert_eq!(Flaw::of(&format!("a{c}b")), Some(Flaw::Unseen), "{:x}", u32::from(c));
        }
        for c in ['\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
            assert_eq!(Flaw::of(&format!("a{c}b")), Some(Flaw::Control), "{:x}", u32::from(c));
        }
    }

    #[test]
    fn what_is_seen_stays() {
        assert_eq!(seen("Sal\u{202e}ary\n \u{200b}❤\u{fe0f}").collect::<String>(), "Salary ❤");
    }
}

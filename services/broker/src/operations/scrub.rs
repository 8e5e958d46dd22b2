//! Finds a secret that comes back: an upstream that echoes its request must not hand our key to the caller.
//!
//! Searched for in the raw answer (head and body): the secret as it is, percent-encoded, in hexadecimal and in base64 at each
//! of the three alignments it can have inside a longer text; and, for JSON, in every decoded string, so that escapes hide
//! nothing. A secret has at least [`MIN_SECRET`] bytes, so a match is never chance.

use std::fmt::Write as _;

use crypto::b64;
use memchr::memmem::Finder;
use serde_json::Value;

/// The shortest secret that can be searched for.
pub const MIN_SECRET: usize = 16;

/// Searches for one secret. It holds copies of it, so it lives and dies with the secret's cache entry and never prints.
pub struct Scrubber {
    plain: Finder<'static>,
    encoded: Vec<Finder<'static>>,
}

impl Scrubber {
    /// Prepares the search.
    pub fn new(secret: &str) -> Self {
        let bytes = secret.as_bytes();
        let mut needles = vec![hex(bytes, false), hex(bytes, true), percent(bytes, false), percent(bytes, true)];
        for lead in 0..3 {
            let aligned = base64_core(bytes, lead);
            needles.push(aligned.replace('+', "-").replace('/', "_"));
            needles.push(aligned);
        }
        needles.sort_unstable();
        needles.dedup();
        needles.retain(|needle| needle != secret);
        let finder = |needle: &str| Finder::new(needle.as_bytes()).into_owned();
        Self { plain: finder(secret), encoded: needles.iter().map(|needle| finder(needle)).collect() }
    }

    /// Whether the raw bytes hold the secret in any of its forms.
    pub fn found_in(&self, raw: &[u8]) -> bool {
        self.plain.find(raw).is_some() || self.encoded.iter().any(|needle| needle.find(raw).is_some())
    }

    /// Whether a decoded string (a member's name or a value) of `answer` holds it.
    pub fn found_in_json(&self, answer: &Value) -> bool {
        match answer {
            Value::String(text) => self.found_in(text.as_bytes()),
            Value::Array(elements) => elements.iter().any(|element| self.found_in_json(element)),
            Value::Object(members) => {
                members.iter().any(|(name, value)| self.found_in(name.as_bytes()) || self.found_in_json(value))
            }
            _ => false,
        }
    }
}

fn hex(bytes: &[u8], upper: bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let written = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
        written.map_or_else(|_| String::new(), |()| text)
    })
}

fn percent(bytes: &[u8], upper: bool) -> String {
    bytes.iter().fold(String::new(), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
            return text;
        }
        let written = if upper { write!(text, "%{byte:02X}") } else { write!(text, "%{byte:02x}") };
        written.map_or_else(|_| String::new(), |()| text)
    })
}

/// The characters of base64 that depend on the secret alone when `lead` other bytes stand before it.
fn base64_core(secret: &[u8], lead: usize) -> String {
    let mut padded = vec![0; lead];
    padded.extend_from_slice(secret);
    let text = b64::encode_standard(&padded);
    // Each character carries six bits: drop those that share bits with what stands before or after.
    let first = (lead * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text.get(first..last).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SECRET: &str = "sandbox_k3y/with+odd=chars";

    #[test]
    fn every_form_of_the_secret_is_found() {
        let scrubber = Scrubber::new(SECRET);
        for lead in ["", "a", "ab", "abc", "Bearer "] {
            let text = format!("{lead}{SECRET} tail");
            assert!(scrubber.found_in(b64::encode_standard(text.as_bytes()).as_bytes()), "{lead}");
            assert!(scrubber.found_in(b64::encode(text.as_bytes()).as_bytes()), "{lead}");
            assert!(scrubber.found_in(text.as_bytes()));
        }
        assert!(scrubber.found_in(hex(SECRET.as_bytes(), true).as_bytes()));
        assert!(scrubber.found_in(hex(SECRET.as_bytes(), false).as_bytes()));
        assert!(scrubber.found_in(b"x=sandbox_k3y%2Fwith%2Bodd%3Dchars&y"));
        assert!(scrubber.found_in(b"x=sandbox_k3y%2fwith%2bodd%3dchars&y"));
    }

    #[test]
    fn json_escapes_do_not_hide_it() {
        let scrubber = Scrubber::new(SECRET);
        let raw = r#"{"a":{"b":["\u0073andbox_k3y\/with+odd=chars"]}}"#;
        assert!(!scrubber.found_in(raw.as_bytes()));
        assert!(scrubber.found_in_json(&serde_json::from_str(raw).unwrap()));
        assert!(scrubber.found_in_json(&json!({ SECRET: 1 })));
    }

    #[test]
    fn an_innocent_answer_is_not_accused() {
        let scrubber = Scrubber::new(SECRET);
        assert!(!scrubber.found_in(b"{\"id\":\"po_1\",\"status\":\"accepted\"}"));
        assert!(!scrubber.found_in(b""));
        assert!(!scrubber.found_in_json(&json!({ "id": "sandbox_", "n": 1 })));
    }
}

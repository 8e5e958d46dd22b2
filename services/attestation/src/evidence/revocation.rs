//! Google's status list of attestation certificates: which serial numbers are revoked or suspended.
//!
//! The list names a certificate in any of four ways (minimal hexadecimal, hexadecimal padded to whole bytes, decimal, or the
//! `serialNumber` attribute of the subject), so a certificate is looked up under all of them. Any entry refuses: `SUSPENDED` is an
//! open question about a key, and money does not wait for the answer. So does an entry that is not understood, which is counted besides: to
//! drop the whole list because of it would let in all the others.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

/// Serials longer than this are not RFC 5280 serials (§4.1.2.2: 20 octets) and not looked at.
const SERIAL_LIMIT: usize = 32;
/// A list larger than this is not Google's (some hundred KiB in 2026).
pub const LIST_LIMIT: usize = 32 * 1024 * 1024;

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It is larger than [`LIST_LIMIT`].
    #[error("the status list is larger than {LIST_LIMIT} bytes")]
    TooLarge,
    /// It is not the JSON of a status list, for instance because the transfer was cut.
    #[error("the status list is not valid: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// What RFC 8259 §8.1 forbids to write and allows to ignore.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Serial numbers that are not to be trusted.
#[derive(Debug, Clone, Default)]
pub struct StatusList {
    /// Lower case, without leading zeros; hexadecimal and decimal spellings live in one set, as in the list itself.
    serials: HashSet<String>,
    /// Entries that were not understood.
    not_understood: usize,
}

#[derive(Deserialize)]
struct Document {
    entries: HashMap<String, Value>,
}

impl StatusList {
    /// Reads the JSON that Google publishes.
    pub fn parse(json: &[u8]) -> Result<Self, ListError> {
        if json.len() > LIST_LIMIT {
            return Err(ListError::TooLarge);
        }
        let Document { entries } = serde_json::from_slice(json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json))?;
        let not_understood = entries.iter().filter(|(serial, entry)| !is_understood(serial, entry)).count();
        Ok(Self { serials: entries.keys().map(|serial| canonical(serial)).collect(), not_understood })
    }

    /// Number of entries that were not understood. They are listed as all others are.
    pub fn not_understood(&self) -> usize {
        self.not_understood
    }

    pub fn len(&self) -> usize {
        self.serials.len()
    }

    /// There are no entries.
    pub fn is_empty(&self) -> bool {
        self.serials.is_empty()
    }

    /// Whether this may be what became of `previous`: it has kept half of the entries or more. Serials are added by and by and seldom taken
    /// back, so a list that has lost most of them (all of them, say) was cut or is another's: a valid document all the same.
    pub fn follows(&self, previous: &Self) -> bool {
        previous.serials.intersection(&self.serials).count() * 2 >= previous.len()
    }

    /// Whether the certificate with this serial (the content octets of the INTEGER) and these `serialNumber`s in its subject is listed.
    pub fn lists<'s>(&self, serial: &[u8], subject_serials: impl IntoIterator<Item = &'s str>) -> bool {
        if self.serials.is_empty() || serial.len() > SERIAL_LIMIT {
            return serial.len() > SERIAL_LIMIT;
        }
        self.serials.contains(&canonical(&hex::encode(serial)))
            || self.serials.contains(&decimal(serial))
            || subject_serials.into_iter().any(|name| self.serials.contains(&canonical(name)))
    }
}

/// A serial number with one of the two statuses.
fn is_understood(serial: &str, entry: &Value) -> bool {
    // Default: no status is none that is understood.
    let status = entry.get("status").and_then(Value::as_str).unwrap_or_default();
    let known = ["REVOKED", "SUSPENDED"].iter().any(|known| status.eq_ignore_ascii_case(known));
    known && canonical(serial).bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One form for the minimal, the padded and the upper-case spelling, and for what people add: `0x`, colons, spaces around it.
fn canonical(serial: &str) -> String {
    let digits = serial.trim().to_ascii_lowercase().replace(':', "");
    digits.strip_prefix("0x").unwrap_or(&digits).trim_start_matches('0').to_owned()
}

/// Big-endian bytes as decimal digits, by repeated multiplication of the digits (least significant first).
fn decimal(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            // Default: a digit below ten fits.
            *digit = u8::try_from(carry % 10).unwrap_or_default();
            carry /= 10;
        }
        while carry > 0 {
            // Default: likewise.
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(serial: &str, status: &str) -> StatusList {
        StatusList::parse(format!(r#"{{"entries":{{"{serial}":{{"status":"{status}"}}}}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn all_four_spellings_are_found() {
        let serial = [0x03, 0x88, 0x26, 0x67, 0x60, 0x65, 0x89, 0x96, 0x85, 0x77];
        assert!(list("3882667606589968577", "REVOKED").lists(&serial, None));
        assert!(list("03882667606589968577", "REVOKED").lists(&serial, None));
        assert!(list(&decimal(&serial), "REVOKED").lists(&serial, None));
        assert!(list("be406466bea3782b", "REVOKED").lists(&serial, Some("be406466bea3782b")));
        assert!(!list("3882667606589968578", "REVOKED").lists(&serial, Some("be406466bea3782b")));
    }

    #[test]
    fn the_sign_octet_does_not_hide_a_serial() {
        assert!(
            list("e8fa196314d2fa18", "SUSPENDED").lists(&[0, 0xe8, 0xfa, 0x19, 0x63, 0x14, 0xd2, 0xfa, 0x18], None)
        );
    }

    #[test]
    fn decimal_is_decimal() {
        assert_eq!(decimal(&[0x01, 0x00]), "256");
        assert_eq!(decimal(&u64::MAX.to_be_bytes()), u64::MAX.to_string());
        assert_eq!(decimal(&[0, 1]), "1");
    }

    /// Whoever is on the list is refused, whatever is said of it; the rest of the list goes on being read.
    #[test]
    fn an_entry_that_is_not_understood_is_listed_and_counted() {
        let entries = [
            (r#""0a":{"status":"REVOKED"}"#, 0),
            (r#""0a":{"status":"SUSPENDED","reason":"KEY_COMPROMISE"}"#, 0),
            (r#""0a":{"status":"revoked"}"#, 0),
            (r#""0A":{"status":"FINE"}"#, 1),
            (r#""0a":{"status":7}"#, 1),
            (r#""0a":{}"#, 1),
            (r#""0a":null"#, 1),
            (r#""0a":"REVOKED""#, 1),
            (r#""0x0A":{"status":"REVOKED"}"#, 0),
            (r#"" 0A ":{"status":"REVOKED"}"#, 0),
            (r#""00:0a":{"status":"REVOKED"}"#, 0),
            (r#""what":{"status":"REVOKED"},"0a":{"status":"REVOKED"}"#, 1),
        ];
        for (entry, odd) in entries {
            for mark in ["", "\u{feff}"] {
                let json = format!(r#"{mark}{{"entries":{{{entry},"0b":{{"status":"REVOKED"}}}},"more":1}}"#);
                let list = StatusList::parse(json.as_bytes()).unwrap();
                assert!(list.lists(&[0x0a], None) && list.lists(&[0x0b], None) && !list.lists(&[0x0c], None), "{json}");
                assert_eq!(list.not_understood(), odd, "{json}");
            }
        }
    }

    #[test]
    fn a_list_that_has_lost_most_of_its_entries_follows_none() {
        let list = |serials: std::ops::Range<u32>| {
            let entries: Vec<_> = serials.map(|serial| format!(r#""{serial:x}":{{"status":"REVOKED"}}"#)).collect();
            StatusList::parse(format!(r#"{{"entries":{{{}}}}}"#, entries.join(",")).as_bytes()).unwrap()
        };
        let full = list(1..101);
        for (name, next, follows) in [
            ("grown", list(1..201), true),
            ("the same", list(1..101), true),
            ("shortened", list(1..99), true),
            ("half", list(1..51), true),
            ("less than half", list(1..50), false),
            ("empty", list(0..0), false),
            ("another, as long", list(500..600), false),
            ("half of it in a longer one", list(51..501), true),
        ] {
            assert_eq!(next.follows(&full), follows, "{name}");
        }
        assert!(full.follows(&StatusList::default()) && StatusList::default().follows(&StatusList::default()));
        assert!(!StatusList::default().follows(&list(1..2)), "one is all");
    }

    #[test]
    fn a_cut_list_is_an_error_not_an_empty_list() {
        for json in [
            r#"{"entries":{"1":{"status":"REVO"#,
            "{}",
            "",
            "\u{feff}",
            r#"{"entries":[]}"#,
            r#"{"entries":null}"#,
            r#"{"entries":{}}{"entries":{}}"#,
        ] {
            assert!(StatusList::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}

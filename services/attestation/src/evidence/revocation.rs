//! Google's status list of attestation certificates: which serial numbers are revoked or suspended.
//!
//! The list names a certificate in any of four ways (minimal hexadecimal, hexadecimal padded to whole bytes, decimal, or the
//! `serialNumber` attribute of the subject), so a certificate is looked up under all of them. Any entry refuses: `SUSPENDED` is an
//! open question about a key, and money does not wait for the answer.

use std::collections::HashSet;

use serde::Deserialize;

use super::hex;

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

/// Serial numbers that are not to be trusted.
#[derive(Debug, Clone, Default)]
pub struct StatusList {
    /// Lower case, without leading zeros; hexadecimal and decimal spellings live in one set, as in the list itself.
    serials: HashSet<String>,
}

#[derive(Deserialize)]
struct Document {
    entries: std::collections::HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[expect(dead_code, reason = "must be one of the two; both refuse")]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Revoked,
    Suspended,
}

impl StatusList {
    /// Reads the JSON that Google publishes.
    pub fn parse(json: &[u8]) -> Result<Self, ListError> {
        if json.len() > LIST_LIMIT {
            return Err(ListError::TooLarge);
        }
        let document: Document = serde_json::from_slice(json)?;
        Ok(Self { serials: document.entries.keys().map(|serial| canonical(serial)).collect() })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.serials.len()
    }

    /// There are no entries.
    pub fn is_empty(&self) -> bool {
        self.serials.is_empty()
    }

    /// Whether the certificate with this serial (the content octets of the INTEGER) and these `serialNumber`s in its subject is listed.
    pub fn lists<'s>(&self, serial: &[u8], subject_serials: impl IntoIterator<Item = &'s str>) -> bool {
        if self.serials.is_empty() || serial.len() > SERIAL_LIMIT {
            return serial.len() > SERIAL_LIMIT;
        }
        self.serials.contains(&canonical(&hex(serial)))
            || self.serials.contains(&decimal(serial))
            || subject_serials.into_iter().any(|name| self.serials.contains(&canonical(name)))
    }
}

/// One form for the minimal, the padded and the upper-case spelling.
fn canonical(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_lowercase()
}

/// Big-endian bytes as decimal digits, by repeated multiplication of the digits (least significant first).
fn decimal(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) * 256;
            *digit = u8::try_from(carry % 10).unwrap_or_default();
            carry /= 10;
        }
        while carry > 0 {
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

    #[test]
    fn a_cut_or_unknown_list_is_an_error_not_an_empty_list() {
        for json in [
            r#"{"entries":{"1":{"status":"REVO"#,
            "{}",
            "",
            r#"{"entries":{"1":{"status":"FINE"}}}"#,
            r#"{"entries":{"1":{}}}"#,
        ] {
            assert!(StatusList::parse(json.as_bytes()).is_err(), "{json}");
        }
    }
}

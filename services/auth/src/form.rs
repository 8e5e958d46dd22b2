//! `application/x-www-form-urlencoded`, strictly: no parameter twice (RFC 6749 §3.1), a bounded number of them, and each of
//! them text. What is no UTF-8 has no one reading, and control characters end strings in one place (NUL in PostgreSQL) and lines
//! in another (CR and LF in a header or a log); no parameter of ours has any.

use std::collections::BTreeMap;

use crypto::SecretString;
use runtime::extract;

use crate::forms::{ANY, Form};

/// Bytes of a form body or query.
pub const LIMIT: usize = 16 * 1024;
const MAX_PARAMETERS: usize = 64;

/// Why a form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the body is not application/x-www-form-urlencoded")]
    MediaType,
    /// More parameters or bytes than any request of ours has.
    #[error("the form is too large")]
    TooLarge,
    /// A name or value that is no UTF-8, has a control character, or an escape that is none.
    #[error("a parameter is not text")]
    NotText,
    /// A parameter appears twice.
    #[error("a parameter appears more than once")]
    Duplicate,
}

/// The parameters of a request, each once. No `Debug`: a password may be among them.
pub struct Parameters {
    values: BTreeMap<String, SecretString>,
    /// Those that its form has; of a form that is not said, none are known.
    names: &'static [&'static str],
}

impl Parameters {
    pub fn empty() -> Self {
        Self { values: BTreeMap::new(), names: ANY }
    }

    /// Reads a body or a query as this form.
    pub fn read<F: Form>(bytes: &[u8]) -> Result<Self, FormError> {
        Ok(Self { names: F::NAMES, ..Self::parse(bytes)? })
    }

    /// Reads a body or a query of which nobody says what it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > LIMIT {
            return Err(FormError::TooLarge);
        }
        let mut parameters = BTreeMap::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            // Default: a name without `=` has no value.
            let mut half = || text(halves.next().unwrap_or_default());
            let (name, value) = (half()?, half()?);
            if parameters.insert(name, SecretString::new(value)).is_some() {
                return Err(FormError::Duplicate);
            }
            if parameters.len() > MAX_PARAMETERS {
                return Err(FormError::TooLarge);
            }
        }
        Ok(Self { values: parameters, names: ANY })
    }

    /// A parameter. One without a value counts as absent (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.secret(name).map(|value| value.expose().as_str())
    }

    /// A parameter that stays a secret.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        debug_assert!(
            self.names.is_empty() || self.names.contains(&name),
            "`{name}` is not in the form ({:?})",
            self.names
        );
        self.values.get(name).filter(|value| !value.expose().is_empty())
    }
}

/// One name or value (WHATWG URL §5.1, without its leniency: there every sequence of bytes means something).
fn text(encoded: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
                let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or(FormError::NotText)?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| FormError::NotText)?;
    // A tab comes with what people copy from a table.
    if text.chars().any(|c| c.is_control() && c != '\t') { Err(FormError::NotText) } else { Ok(text) }
}

/// Whether a whole `Content-Type` names a form, of UTF-8 if it says of what.
pub fn is_form(content_type: &str) -> bool {
    extract::is_utf_8(content_type, "application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_absent() {
        let form = Parameters::parse(b"scope=openid+accounts%3Aread&state=").unwrap();
        assert_eq!(form.get("scope"), Some("openid accounts:read"));
        assert_eq!((form.get("state"), form.get("nonce")), (None, None));
    }

    #[test]
    fn a_doubled_parameter_is_refused_whatever_its_spelling() {
        for text in ["a=1&a=1", "a=1&b=2&%61=3", "a=&a="] {
            assert_eq!(Parameters::parse(text.as_bytes()).err(), Some(FormError::Duplicate), "{text}");
        }
    }

    #[test]
    fn a_parameter_is_text() {
        let bad: [&[u8]; 15] = [
            b"a=%00",
            b"a=\0",
            b"%00=a",
            b"a=b%0Dc",
            b"a=b%0Ac",
            b"a=b\r\n",
            b"a=%7F",
            b"a=%C2%85",
            b"a=%FF",
            b"a=\xff",
            b"%C3%28=a",
            b"a=%ED%A0%80",
            b"a=%",
            b"a=%4",
            b"a=%+1",
        ];
        for bytes in bad {
            assert_eq!(Parameters::parse(bytes).err(), Some(FormError::NotText), "{}", String::from_utf8_lossy(bytes));
        }
        let form = Parameters::parse("a=%E7%8E%8B+%F0%9F%8F%A6&b=\u{e4}%25&c==&&d".as_bytes()).unwrap();
        assert_eq!((form.get("a"), form.get("b")), (Some("\u{738b} \u{1f3e6}"), Some("\u{e4}%")));
        assert_eq!((form.get("c"), form.get("d")), (Some("="), None));
    }

    /// Where both read something, it is the same.
    #[test]
    fn what_is_text_is_read_as_browsers_write_it() {
        for text in ["a=1&b=%2B+%26", "%61=%3D", "a", "=x", "a=b=c"] {
            let strict = Parameters::parse(text.as_bytes()).unwrap().values;
            let strict: Vec<_> = strict.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect();
            let lenient: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            assert_eq!(strict, lenient, "{text}");
        }
    }

    #[test]
    fn size_and_number_are_bounded() {
        assert_eq!(Parameters::parse(&vec![b'a'; LIMIT + 1]).err(), Some(FormError::TooLarge));
        let many: Vec<String> = (0..=MAX_PARAMETERS).map(|number| format!("p{number}=x")).collect();
        assert_eq!(Parameters::parse(many.join("&").as_bytes()).err(), Some(FormError::TooLarge));
    }

    #[test]
    fn only_forms_are_forms() {
        assert!(
            is_form("application/x-www-form-urlencoded; charset=UTF-8") && is_form("Application/X-WWW-Form-UrlEncoded")
        );
        assert!(!is_form("application/x-www-form-urlencoded; charset=utf-16"));
        assert!(!is_form("application/json") && !is_form("multipart/form-data") && !is_form(""));
    }
}

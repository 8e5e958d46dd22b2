//! `application/x-www-form-urlencoded`, strictly: no parameter twice (RFC 6749 §3.1), a bounded number of them.

use std::collections::BTreeMap;

use crypto::SecretString;

/// Bytes of a form body or query.
pub const LIMIT: usize = 16 * 1024;
const MAX_PARAMETERS: usize = 64;

/// Why a form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Another media type.
    #[error("the body is not application/x-www-form-urlencoded")]
    MediaType,
    /// More parameters or bytes than any request of ours has.
    #[error("the form is too large")]
    TooLarge,
    /// A parameter appears twice.
    #[error("a parameter appears more than once")]
    Duplicate,
}

/// The parameters of a request, each once. No `Debug`: a password may be among them.
pub struct Parameters(BTreeMap<String, SecretString>);

impl Parameters {
    /// No parameters.
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// Reads a body or a query.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > LIMIT {
            return Err(FormError::TooLarge);
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            if parameters.insert(name.into_owned(), SecretString::new(value.into_owned())).is_some() {
                return Err(FormError::Duplicate);
            }
            if parameters.len() > MAX_PARAMETERS {
                return Err(FormError::TooLarge);
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter. One without a value counts as absent (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.secret(name).map(|value| value.expose().as_str())
    }

    /// A parameter that stays a secret.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name).filter(|value| !value.expose().is_empty())
    }
}

/// Whether a `Content-Type` names a form.
pub fn is_form(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
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
        assert!(!is_form("application/json") && !is_form("multipart/form-data") && !is_form(""));
    }
}

//! `application/x-www-form-urlencoded`, strictly: no name twice, a bounded number of them, and each of them text. What is no UTF-8 has no one reading, and
//! control characters end strings in one place (NUL in `PostgreSQL`) and lines in another (CR and LF in a header or a log); no field of ours has any.
//!
//! The one way to read a form: [`fields`] for whoever looks at it name by name, [`ApiForm`] for a form that is a type.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::uri::Authority;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest};
use crypto::SecretString;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;

use crate::extract::{is_utf_8, read_body, refused};
use crate::pages::Sender;
use crate::{Problem, Refusal, Single};

/// What a form says that it is.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";
/// Bytes of a form's body, or of a query.
pub const LIMIT: usize = 16 * 1024;
const MAX_FIELDS: usize = 64;

/// Why a form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It says that it is something else.
    #[error("the body is not application/x-www-form-urlencoded")]
    MediaType,
    /// More fields or bytes than any request of ours has.
    #[error("the form is too large")]
    TooLarge,
    /// A name or value that is no UTF-8, has a control character, or an escape that is none.
    #[error("a field is not text")]
    NotText,
    /// A name appears twice.
    #[error("a field appears more than once")]
    Duplicate,
}

/// The fields of a body or a query, by their names. A name without a value has an empty one.
///
/// # Errors
///
/// [`FormError`]: it is too large, not text, or has a name twice.
pub fn fields(bytes: &[u8]) -> Result<BTreeMap<String, SecretString>, FormError> {
    if bytes.len() > LIMIT {
        return Err(FormError::TooLarge);
    }
    let mut fields = BTreeMap::new();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        // Default: a name without `=` has no value.
        let mut half = || text(halves.next().unwrap_or_default());
        let (name, value) = (half()?, half()?);
        if fields.insert(name, SecretString::new(value)).is_some() {
            return Err(FormError::Duplicate);
        }
        if fields.len() > MAX_FIELDS {
            return Err(FormError::TooLarge);
        }
    }
    Ok(fields)
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
    is_utf_8(content_type, MEDIA_TYPE)
}

/// A form's body: as strict as [`ApiJson`](crate::ApiJson), and refused in the same words. No field that the type does not have.
#[derive(Debug, Clone)]
pub struct ApiForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for ApiForm<T> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = Single::of(request.headers(), header::CONTENT_TYPE.as_str()).one().is_some_and(is_form);
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let invalid = |problem| Refusal::new("request", "form_invalid", problem);
            if !media_type {
                return Err(invalid(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)));
            }
            let body = read_body(&request, &mut payload, LIMIT).await?;
            Ok(Self(typed(&body).map_err(invalid)?))
        })
    }
}

/// A form that a page has sent which was served under the same origin, as an [`ApiForm`]. For pages whose visitors are known by what a browser shows whoever makes
/// it call, a certificate: without a token beside it the browser must say whose page it was ([`Sender`]), and what says nothing is refused, too.
#[derive(Debug, Clone)]
pub struct OwnForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for OwnForm<T> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let sender = Sender::of(request.headers(), &origin(request));
        let form = ApiForm::from_request(request, payload);
        Box::pin(async move {
            if sender != Sender::Own {
                return Err(Refusal::new("origin", "origin_mismatch", Problem::forbidden()));
            }
            Ok(Self(form.await?.0))
        })
    }
}

/// The origin under which a request has reached us. The layers have found its host to be ours, and no page chooses it.
fn origin(request: &HttpRequest) -> String {
    let host = Single::of(request.headers(), header::HOST.as_str()).one();
    // Default: without a host it was refused.
    format!("https://{}", request.uri().authority().map(Authority::as_str).or(host).unwrap_or_default())
}

fn typed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let fields = fields(body).map_err(|error| Problem::invalid(error.to_string()))?;
    let fields = fields.into_iter().map(|(name, value)| (name, value.expose().clone()));
    T::deserialize(MapDeserializer::<_, serde::de::value::Error>::new(fields))
        .map_err(|error| refused(&error.to_string(), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_name_is_refused_whatever_its_spelling() {
        for text in ["a=1&a=1", "a=1&b=2&%61=3", "a=&a="] {
            assert_eq!(fields(text.as_bytes()).err(), Some(FormError::Duplicate), "{text}");
        }
    }

    #[test]
    fn a_field_is_text() {
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
            assert_eq!(fields(bytes).err(), Some(FormError::NotText), "{}", String::from_utf8_lossy(bytes));
        }
        let form = fields("a=%E7%8E%8B+%F0%9F%8F%A6&b=\u{e4}%25&c==&&d".as_bytes()).unwrap();
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.expose().as_str())).collect();
        assert_eq!(form, [("a", "\u{738b} \u{1f3e6}"), ("b", "\u{e4}%"), ("c", "="), ("d", "")]);
    }

    /// Where both read something, it is the same.
    #[test]
    fn what_is_text_is_read_as_browsers_write_it() {
        for text in ["a=1&b=%2B+%26", "%61=%3D", "a", "=x", "a=b=c"] {
            let strict = fields(text.as_bytes()).unwrap();
            let strict: Vec<_> = strict.iter().map(|(name, value)| (name.clone(), value.expose().clone())).collect();
            let lenient: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            assert_eq!(strict, lenient, "{text}");
        }
    }

    #[test]
    fn size_and_number_are_bounded() {
        assert_eq!(fields(&vec![b'a'; LIMIT + 1]).err(), Some(FormError::TooLarge));
        let many: Vec<String> = (0..=MAX_FIELDS).map(|number| format!("p{number}=x")).collect();
        assert_eq!(fields(many.join("&").as_bytes()).err(), Some(FormError::TooLarge));
    }

    #[test]
    fn only_forms_are_forms() {
        assert!(
            is_form("application/x-www-form-urlencoded; charset=UTF-8") && is_form("Application/X-WWW-Form-UrlEncoded")
        );
        assert!(!is_form("application/x-www-form-urlencoded; charset=utf-16"));
        assert!(!is_form("application/json") && !is_form("multipart/form-data") && !is_form(""));
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Word {
        label: Said,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Said {
        Fraud,
    }

    #[test]
    fn a_form_that_is_a_type_has_its_fields_and_no_others() {
        assert_eq!(typed::<Word>(b"label=fraud").unwrap(), Word { label: Said::Fraud });
        for (body, detail, field) in [
            ("", "missing field `label`", Some("label")),
            ("label=fraud&more=1", "unknown field `more`, expected `label`", Some("more")),
            ("label=", "expected `fraud`", None),
            ("label=perhaps", "expected `fraud`", None),
            ("label=fraud&label=fraud", "a field appears more than once", None),
            ("label=%00", "a field is not text", None),
        ] {
            let problem = typed::<Word>(body.as_bytes()).unwrap_err().wire();
            assert_eq!((problem.detail.as_deref(), problem.field.as_deref()), (Some(detail), field), "{body}");
        }
    }
}

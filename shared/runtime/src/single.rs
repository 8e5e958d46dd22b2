//! The one way to read a header field that says something about security.

use actix_web::http::header::HeaderMap;

/// A field that must stand once. Of two values, two readers could take different ones; so they are as good as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single<'a> {
    /// It is not there.
    Absent,
    /// It is there once, with this value.
    One(&'a str),
    /// It is there twice, or is not visible ASCII (RFC 9110 §5.5).
    Ambiguous,
}

impl<'a> Single<'a> {
    /// The field `name` of these headers.
    pub fn of(headers: &'a HeaderMap, name: &str) -> Self {
        let mut values = headers.get_all(name);
        match (values.next(), values.next()) {
            (None, _) => Self::Absent,
            // Default: what is no text is nobody's value.
            (Some(value), None) => value.to_str().map_or(Self::Ambiguous, Self::One),
            (Some(_), Some(_)) => Self::Ambiguous,
        }
    }

    /// Its value, if it has one.
    pub fn one(self) -> Option<&'a str> {
        match self {
            Self::One(value) => Some(value),
            Self::Absent | Self::Ambiguous => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_field_has_one_value_that_is_text() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("dpop");
        assert_eq!(Single::of(&headers, "dpop"), Single::Absent);
        headers.append(name.clone(), HeaderValue::from_static("a"));
        assert_eq!(Single::of(&headers, "DPoP"), Single::One("a"));
        headers.append(name.clone(), HeaderValue::from_static("a"));
        assert_eq!(Single::of(&headers, "dpop"), Single::Ambiguous);
        headers.insert(name, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(Single::of(&headers, "dpop"), Single::Ambiguous);
    }
}

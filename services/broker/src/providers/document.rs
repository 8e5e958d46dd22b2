//! A JSON document of a provider, an answer or a webhook, exactly as it was written: a number by its digits, a member once.
//!
//! A general JSON value turns a number into a float and keeps the last of two members of one name: what we would pass on is then
//! not what the provider said, or not what another reader of the same bytes takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error, Value};

/// Levels of nesting in what a provider says: an answer or a webhook.
pub const MAX_DEPTH: usize = 32;

/// A document, or a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number as written.
    Number(String),
    /// A string, decoded.
    Text(String),
    List(Vec<Document>),
    Object(BTreeMap<String, Document>),
}

impl Document {
    /// Reads a JSON text. The caller has bounded its size and its depth.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        Self::read(serde_json::from_slice(json)?)
    }

    /// The string that it is, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn read(raw: &RawValue) -> Result<Self, Error> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text)?;
                let members = members.into_iter().map(|(name, member)| Ok((name, Self::read(member)?)));
                Ok(Self::Object(members.collect::<Result<_, Error>>()?))
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text)?;
                Ok(Self::List(elements.into_iter().map(Self::read).collect::<Result<_, _>>()?))
            }
            Some(b'"') => serde_json::from_str(text).map(Self::Text),
            Some(b't' | b'f') => serde_json::from_str(text).map(Self::Boolean),
            Some(b'n') => Ok(Self::Null),
            Some(_) => Ok(Self::Number(text.to_owned())),
            None => Err(Error::custom("nothing")),
        }
    }
}

/// Values that we made ourselves, of another format than JSON.
impl From<Value> for Document {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Boolean(value),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text),
            Value::Array(elements) => Self::List(elements.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.into_iter().map(|(name, member)| (name, Self::from(member))).collect())
            }
        }
    }
}

/// The members of one object, each name once.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueNames;

        impl<'de> Visitor<'de> for UniqueNames {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, member)) = map.next_entry()? {
                    if members.insert(name, member).is_some() {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(UniqueNames).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Document, Error> {
        Document::parse(json.as_bytes())
    }

    #[test]
    fn a_number_keeps_its_digits_and_everything_its_place() {
        let document = parse(
            " { \"n\" : [ 12345678901234567890123.45, -0.10, 1E+2 ], \"t\" : \"a\\u0062\", \"o\":{},\"x\" : null, \"b\":true } ",
        );
        let number = |digits: &str| Document::Number(digits.to_owned());
        let numbers = Document::List(vec![number("12345678901234567890123.45"), number("-0.10"), number("1E+2")]);
        let expected = [
            ("n", numbers),
            ("t", Document::Text("ab".to_owned())),
            ("o", Document::Object(BTreeMap::new())),
            ("x", Document::Null),
            ("b", Document::Boolean(true)),
        ];
        let expected = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(document.unwrap(), Document::Object(expected));
    }

    #[test]
    fn of_two_members_of_one_name_neither_passes() {
        for json in [r#"{"id":"a","id":"a"}"#, r#"{"id":1,"i\u0064":2}"#, r#"{"x":[{"y":{"id":1,"id":2}}]}"#] {
            assert!(parse(json).is_err(), "{json}");
        }
        assert!(parse(r#"{"id":1,"x":{"id":2},"ID":3}"#).is_ok());
    }

    #[test]
    fn what_is_not_json_is_no_answer() {
        for json in [
            "",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "NaN",
            "01",
            "+1",
            "1.",
            ".5",
            "0x1",
            "tru",
            "nul",
            "\"\\ud800\"",
            "\"\\x\"",
            "\"a\nb\"",
            "[1 2]",
            "\u{feff}{}",
        ] {
            assert!(parse(json).is_err(), "{json:?}");
        }
        assert!(Document::parse(b"{\"a\":\"\xff\"}").is_err());
    }
}

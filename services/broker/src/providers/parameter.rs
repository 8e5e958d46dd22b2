//! Parameters of an operation: what a caller may say, and where it goes in the request.
//!
//! A value that passes is safe where its type may stand: what goes into a path has no `/`, `.` segment or `%`; text for people
//! has visible characters only. So a request is built by concatenating checked parts, never by repairing bad ones.

use std::collections::BTreeMap;

use api::text::Flaw;
use iban::{Iban, IbanLike as _};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    #[serde(rename = "in")]
    pub place: ParameterPlace,
    /// What it may be.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Dotted path to its place in the body, or its name in the query, where the provider calls it something else. Default: its own name.
    pub field: Option<String>,
    /// Longest text in characters (types `text` and `token`).
    #[serde(default = "default_length")]
    pub max_length: u16,
}

/// Where a parameter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterPlace {
    /// A segment of the path.
    Path,
    Query,
    /// A member of the JSON body.
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, strum::EnumString)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Kind {
    /// A UUID in lower case with hyphens.
    #[serde(rename = "uuid")]
    #[strum(serialize = "uuid")]
    Id,
    /// A positive decimal number as text, such as `12.34`.
    Decimal,
    /// Three capital letters (ISO 4217).
    Currency,
    /// An IBAN without spaces: its check digits and its country's form verified (ISO 13616).
    Iban,
    /// Letters, digits, `-` and `_`.
    Token,
    /// Text for people: no control characters, nothing of no width, nothing that turns the direction of reading.
    Text,
}

/// What is wrong with the parameters of a call. The message names the field and never repeats its value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("params.{field} {problem}")]
pub struct ParameterError {
    pub field: String,
    pub problem: &'static str,
}

/// The checked parameters of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checked {
    values: BTreeMap<String, String>,
}

impl Checked {
    /// The text of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The parameters, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Kind {
    /// Whether every value of this type is one plain path segment.
    pub fn fits_a_path(self) -> bool {
        !matches!(self, Self::Text | Self::Decimal)
    }

    /// Whether `text` is of this type and not longer than `max_length` characters (types `text` and `token`).
    pub fn check(self, text: &str, max_length: u16) -> Result<(), &'static str> {
        let ok = |good: bool, problem| if good { Ok(()) } else { Err(problem) };
        match self {
            Self::Id => ok(text.parse::<api::Id>().is_ok(), "is not a UUID in lower case with hyphens"),
            Self::Decimal => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let value: Decimal = text.parse().map_err(|_| "is not a decimal number")?;
                ok(digits && text.len() <= 30 && value > Decimal::ZERO, "is not a positive decimal number")
            }
            Self::Currency => {
                ok(text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()), "is not an ISO 4217 code")
            }
            Self::Iban => ok(is_iban(text), "is not an IBAN"),
            Self::Token => {
                let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                ok(!text.is_empty() && fits(text, max_length) && text.bytes().all(good), "is not a token")
            }
            Self::Text => {
                ok(fits(text, max_length), "is too long")?;
                Flaw::of(text).map_or(Ok(()), |flaw| Err(flaw.into()))
            }
        }
    }
}

/// Checks `given` against `declared`: all that is needed is there, nothing else is, and each is of its type.
pub fn check(declared: &BTreeMap<String, Parameter>, given: &Map<String, Value>) -> Result<Checked, ParameterError> {
    let error = |field: &str, problem| ParameterError { field: field.to_owned(), problem };
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        // The name comes from the caller: cut, so that an answer cannot be made to carry much.
        return Err(error(&unknown.chars().take(64).collect::<String>(), "is not a parameter of this operation"));
    }
    let mut values = BTreeMap::new();
    for (name, parameter) in declared {
        let Some(value) = given.get(name) else {
            if parameter.optional {
                continue;
            }
            return Err(error(name, "is missing"));
        };
        let text = value.as_str().ok_or_else(|| error(name, "is not a string"))?;
        parameter.kind.check(text, parameter.max_length).map_err(|problem| error(name, problem))?;
        values.insert(name.clone(), text.to_owned());
    }
    Ok(Checked { values })
}

fn fits(text: &str, max_length: u16) -> bool {
    text.chars().take(usize::from(max_length) + 1).count() <= usize::from(max_length)
}

/// In electronic form only: the paper form, in groups of four, is read as well.
fn is_iban(text: &str) -> bool {
    text.parse::<Iban>().is_ok_and(|iban| iban.electronic_str() == text)
}

fn default_length() -> u16 {
    140
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(kind: Kind, text: &str) -> bool {
        kind.check(text, 10).is_ok()
    }

    #[test]
    fn each_type_takes_its_values_only() {
        for (kind, good, bad) in [
            (
                Kind::Id,
                &["01890a5d-ac96-774b-bcce-b302099a8057"][..],
                &["01890A5D-AC96-774B-BCCE-B302099A8057", "x", ""][..],
            ),
            (Kind::Decimal, &["1", "12.34", "0.01"], &["0", "-1", "+1", "1e3", "1_000", ".", "", " 1", "NaN", "1,5"]),
            (Kind::Currency, &["EUR"], &["eur", "EURO", "E1R", ""]),
            (
                Kind::Iban,
                &["AT611904300234573201", "DE89370400440532013000", "NO9386011117947"],
                &[
                    "AT611904300234573202",
                    "AT61 1904 3002 3457 3201",
                    "at611904300234573201",
                    "AT",
                    "",
                    "AT61/../admin",
                ],
            ),
            (Kind::Token, &["a-B_9"], &["", "a/b", "..", "a.b", "a%2f", "a b", "elevenchars", "ä"]),
            (
                Kind::Text,
                &["", "Grüße", "a/b?c#d"],
                &["line\nbreak", "\u{0}", "a\u{202e}b", "a\u{200b}b", "eleven char"],
            ),
        ] {
            for text in good {
                assert!(accepts(kind, text), "{kind:?} takes {text}");
            }
            for text in bad {
                assert!(!accepts(kind, text), "{kind:?} refuses {text:?}");
            }
        }
    }

    #[test]
    fn what_is_not_declared_missing_or_no_string_is_refused_by_name() {
        let declared: BTreeMap<String, Parameter> = toml::from_str(
            "a = { in = \"body\", type = \"token\" }\nb = { in = \"body\", type = \"token\", optional = true }",
        )
        .unwrap();
        let run = |value: Value| check(&declared, value.as_object().unwrap());
        assert_eq!(run(serde_json::json!({ "a": "x" })).unwrap().get("a"), Some("x"));
        assert_eq!(run(serde_json::json!({})).unwrap_err().field, "a");
        assert_eq!(run(serde_json::json!({ "a": 1 })).unwrap_err().problem, "is not a string");
        assert_eq!(run(serde_json::json!({ "a": "x", "url": "y" })).unwrap_err().field, "url");
    }
}

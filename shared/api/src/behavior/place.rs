//! Where a request came from, as far as a table of networks says it. The address itself goes to nobody.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::Pseudonym;

/// A country, and whose network it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The country that the network is registered for.
    pub country: Country,
    /// Whose network it is: 64 bits of a digest of the operator's number (ASN), in hexadecimal; none, if the table does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Pseudonym>,
}

/// Two capital letters: a code of ISO 3166-1 (alpha-2), or one that a registry uses as such.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

/// It is no two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCountry;

impl Country {
    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // Default: cannot be, they are ASCII
    }
}

impl FromStr for Country {
    type Err = NoCountry;

    fn from_str(text: &str) -> Result<Self, NoCountry> {
        match text.as_bytes() {
            [first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => Ok(Self([*first, *second])),
            _ => Err(NoCountry),
        }
    }
}

impl TryFrom<String> for Country {
    type Error = NoCountry;

    fn try_from(text: String) -> Result<Self, NoCountry> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for NoCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not two capital letters")
    }
}

impl std::error::Error for NoCountry {}

impl JsonSchema for Country {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Country".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{2}$", "examples": ["DE"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_capital_letters_and_nothing_else() {
        assert_eq!("DE".parse::<Country>().map(|country| country.to_string()), Ok("DE".to_owned()));
        for text in ["", "D", "DEU", "de", "D1", "Ä", " DE"] {
            assert_eq!(text.parse::<Country>(), Err(NoCountry), "{text}");
            assert!(serde_json::from_value::<Place>(serde_json::json!({ "country": text })).is_err(), "{text}");
        }
        let place = serde_json::json!({ "country": "DE", "network": "00000000000000ab" });
        assert_eq!(serde_json::to_value(serde_json::from_value::<Place>(place.clone()).unwrap()).unwrap(), place);
        assert!(serde_json::from_value::<Place>(serde_json::json!({ "country": "DE", "address": "x" })).is_err());
    }
}

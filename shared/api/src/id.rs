//! Ids on the wire.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const FORM: &str = "a UUID in lower case with hyphens";

/// The id of a resource: a UUID in its canonical form (RFC 9562 §4), lower case with hyphens, and in no other.
///
/// One thing has one name: what compares ids as text (a cache, a rule at the edge, a log that is searched) sees what the service
/// sees. `Uuid` itself also reads capitals, braces, `urn:uuid:` and no hyphens, so it stands in no wire type and no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(Uuid);

/// Not an id in its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl Id {
    /// The one that stands in documents.
    pub const EXAMPLE: &'static str = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// As services compute with it.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<Id> for Uuid {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        #[expect(clippy::disallowed_methods, reason = "the one place where a text becomes an id")]
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnId)?;
        let mut canonical = Uuid::encode_buffer();
        if uuid.hyphenated().encode_lower(&mut canonical) == text { Ok(Self(uuid)) } else { Err(NotAnId) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not {FORM}")
    }
}

impl std::error::Error for NotAnId {}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(FORM)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
                // The text itself stays out of the message.
                text.parse().map_err(|NotAnId| E::invalid_value(Unexpected::Other("another text"), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "uuid",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
            "description": "A UUID in its canonical form (RFC 9562 §4): lower case with hyphens, and no other.",
            "examples": [Self::EXAMPLE],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANONICAL: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn the_canonical_form_reads_back() {
        let id: Id = CANONICAL.parse().unwrap();
        assert_eq!(id.to_string(), CANONICAL);
        let json = format!("\"{CANONICAL}\"");
        assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), id);
        assert_eq!(serde_json::to_string(&id).unwrap(), json);
        assert_eq!(Id::from(id.uuid()), id);
    }

    #[test]
    fn another_spelling_of_an_id_is_none() {
        let simple = CANONICAL.replace('-', "");
        let others = [
            CANONICAL.to_uppercase(),
            format!("{{{CANONICAL}}}"),
            format!("urn:uuid:{CANONICAL}"),
            format!(" {CANONICAL}"),
            CANONICAL.replace('a', "A"),
            simple.to_uppercase(),
            simple,
            String::new(),
        ];
        for other in others {
            assert_eq!(other.parse::<Id>(), Err(NotAnId), "{other}");
            let error = serde_json::from_str::<Id>(&format!("\"{other}\"")).unwrap_err().to_string();
            assert!(error.contains("expected a UUID in lower case with hyphens"), "{error}");
            assert!(other.is_empty() || !error.contains(&other), "{error}");
        }
        assert!(serde_json::from_str::<Id>("7").is_err());
    }
}

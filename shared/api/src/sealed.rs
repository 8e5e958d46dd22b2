//! Fields that only the service may read for which they are meant, whoever ends TLS on the way: sealed to a key of that service.
//!
//! This is the wire form alone, a compact JWE; `identity::sealed_field` makes and opens it. Its type says which field it is, so none can be opened
//! as another.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a sealed text is, for the one who opens it.
pub trait Field {
    /// The service and the field's path in its request. It enters the key, so it is never changed: another form is another field.
    const PURPOSE: &'static str;
}

/// The sealed text of the field `F`, as somebody has sent it.
pub struct Sealed<F> {
    text: String,
    field: PhantomData<fn() -> F>,
}

impl<F> Sealed<F> {
    /// What came, which may be no sealed text at all.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), field: PhantomData }
    }

    /// As it travels.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<F> Clone for Sealed<F> {
    fn clone(&self) -> Self {
        Self::new(self.text.clone())
    }
}

impl<F> PartialEq for Sealed<F> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<F> Eq for Sealed<F> {}

/// Without the text, which is in the clear where a client does what it may not.
impl<F> fmt::Debug for Sealed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.text.len())
    }
}

/// RFC 7516 §7.1: five parts; that of the encrypted key is empty, for the key is agreed on.
impl<F: Field> JsonSchema for Sealed<F> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Sealed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
            "description": format!("Sealed (`{}`): a compact JWE to the key that the service publishes for such fields.", F::PURPOSE),
            "examples": ["eyJhbGciOiJFQ0RILUVTIn0..bm9uY2U.c2VhbGVk.dGFn"],
        })
    }
}

impl<F> Serialize for Sealed<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de, F> Deserialize<'de> for Sealed<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_field_is_a_text_in_json_and_does_not_print() {
        let sealed: Sealed<crate::payees::PayeeIban> = serde_json::from_str(r#""a.b.c.d.e""#).unwrap();
        assert_eq!(serde_json::to_string(&sealed).unwrap(), r#""a.b.c.d.e""#);
        assert_eq!(format!("{sealed:?}"), "Sealed(9 bytes)");
    }
}

//! What the `__name__` service is told and asked, on the internal plane.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Id, schema, text};

/// Characters of a note at most; a service's configuration may say fewer.
pub const NOTE: usize = 1000;

fn note(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": NOTE,
        "pattern": text::pattern(true),
        "examples": ["Called back at noon"],
    })
}

/// `PUT /internal/v1/notes/{id}`, by the operator. The id is the writer's choice: the same again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNote {
    /// What it says; each character is one that is seen ([`crate::text`]).
    #[schemars(schema_with = "note")]
    pub text: String,
}

/// A note as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Its id.
    pub id: Id,
    /// What it says.
    pub text: String,
    /// The workload that wrote it, by its certificate.
    pub written_by: String,
    /// When, in UTC.
    #[schemars(schema_with = "schema::time")]
    pub written_at: String,
}

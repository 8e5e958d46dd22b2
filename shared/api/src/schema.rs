//! Schemas of texts whose form the type `String` does not say. Each stands for a check that some service makes; `services/ledger/tests/it/schemas.rs` and the
//! tests beside the types show that schema and check take and refuse the same.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::text;

/// A text of people's, `min` to `max` characters as [`text::Flaw`] has them and, where one must be there, not only spaces.
fn seen(min: usize, max: usize, example: &str) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": min,
        "maxLength": max,
        "pattern": text::pattern(min > 0),
        "examples": [example],
    })
}

pub(crate) fn account_name(_: &mut SchemaGenerator) -> Schema {
    seen(1, text::ACCOUNT_NAME, "Everyday")
}

pub(crate) fn creditor_name(_: &mut SchemaGenerator) -> Schema {
    seen(1, text::CREDITOR_NAME, "Example GmbH")
}

pub(crate) fn holder(_: &mut SchemaGenerator) -> Schema {
    seen(1, text::HOLDER_NAME, "Example Services GmbH")
}

pub(crate) fn reference(_: &mut SchemaGenerator) -> Schema {
    seen(0, text::REFERENCE, "Dinner")
}

/// RFC 3339, in UTC, to the millisecond.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time", "examples": ["2026-11-27T09:30:00.000Z"] })
}

pub(crate) fn date(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date", "examples": ["2026-11-27"] })
}

/// An unsigned decimal number.
pub(crate) fn decimal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", "examples": ["1.1172"] })
}

/// Where a page ended: bytes that mean something to the server only.
pub(crate) fn cursor(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" })
}

/// Base64url without padding (RFC 4648 §5) of so many bytes.
fn base64url(bytes: usize) -> Schema {
    let length = (bytes * 4).div_ceil(3);
    json_schema!({ "type": "string", "minLength": length, "maxLength": length, "pattern": "^[A-Za-z0-9_-]*$" })
}

pub(crate) fn bytes_32(_: &mut SchemaGenerator) -> Schema {
    base64url(32)
}

/// An uncompressed P-256 point.
pub(crate) fn point(_: &mut SchemaGenerator) -> Schema {
    base64url(65)
}

pub(crate) fn base64url_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$" })
}

/// Standard base64 with padding (RFC 4648 §4).
pub(crate) fn base64(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "contentEncoding": "base64" })
}

/// A list of them.
pub(crate) fn base64_list(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": base64(generator) })
}

/// A JWS in its compact form (RFC 7515 §7.1).
pub(crate) fn compact_jws(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$" })
}

/// A public P-256 key (RFC 7517, RFC 7518 §6.2).
pub(crate) fn public_jwk(_: &mut SchemaGenerator) -> Schema {
    let coordinate = base64url(32);
    json_schema!({
        "type": "object",
        "required": ["kty", "crv", "x", "y"],
        "properties": {
            "kty": { "const": "EC" },
            "crv": { "const": "P-256" },
            "x": coordinate,
            "y": coordinate,
            "kid": { "type": "string" },
            "use": { "const": "sig" },
            "alg": { "const": "ES256" },
        },
    })
}

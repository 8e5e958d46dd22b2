//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the client's name for one intent, and the answer to it.

use std::borrow::Cow;
use std::fmt::Display;
use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, dev::Payload};
use api::problem::code;
use runtime::contract::{Described, Operation, with_status};
use runtime::{Problem, Refusal, Single, Who};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

/// Longest key, in characters.
const MAX: usize = 255;

/// A key of 1 to 255 printable ASCII characters, taken with or without the quotes of a structured-field string.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a header value.
    pub fn parse(value: &str) -> Result<Self, Refusal> {
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        let valid = !bare.is_empty()
            && bare.len() <= MAX
            && bare.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\');
        if valid { Ok(Self(bare.to_owned())) } else { Err(invalid()) }
    }

    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for IdempotencyKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "IdempotencyKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Printable ASCII without blank, quote and backslash; in quotes or bare.
        let bare = format!("[!#-\\[\\]-~]{{1,{MAX}}}");
        let pattern = format!("^({bare}|\"{bare}\")$");
        json_schema!({ "type": "string", "pattern": pattern, "examples": ["0198f2a4-order-17"] })
    }
}

impl Described for IdempotencyKey {
    fn describe(operation: &mut Operation) {
        let meaning = "The client's name for one intent (draft-ietf-httpapi-idempotency-key-header): the same again changes nothing.";
        operation.header::<Self>("Idempotency-Key", true, meaning);
        operation.refuses(&[(400, code::KEY_MISSING), (400, code::KEY_INVALID)]);
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = match Single::of(request.headers(), api::header::IDEMPOTENCY_KEY) {
            Single::Absent => Err(refuse("key_missing", code::KEY_MISSING, "send one with this request")),
            Single::One(value) => Self::parse(value),
            Single::Ambiguous => Err(invalid()),
        };
        ready(key.map_err(|refusal| refusal.about(Who::of(request))))
    }
}

fn invalid() -> Refusal {
    refuse("key_invalid", code::KEY_INVALID, "expected 1 to 255 printable characters")
}

fn refuse(reason: &'static str, code: &'static str, detail: &str) -> Refusal {
    let problem = Problem::new(StatusCode::BAD_REQUEST, code).detail(detail).field("Idempotency-Key");
    Refusal::new("idempotency", reason, problem)
}

/// The answer to a POST under a key. A repetition gets the first one's status and body, and a header that says so.
#[derive(Debug)]
pub struct Answer<T, const STATUS: u16 = 200> {
    body: T,
    replayed: bool,
    made: Option<String>,
}

/// `201 Created`, or the same again.
pub type Created<T> = Answer<T, 201>;

impl<T, const STATUS: u16> Answer<T, STATUS> {
    /// What came of it, now or before.
    pub fn new(body: T, replayed: bool) -> Self {
        Self { body, replayed, made: None }
    }

    /// The request's receipt says that what has this id was made.
    #[must_use]
    pub fn made<I: Display>(self, id: impl FnOnce(&T) -> I) -> Self {
        let made = Some(id(&self.body).to_string());
        Self { made, ..self }
    }
}

impl<T: Serialize, const STATUS: u16> Responder for Answer<T, STATUS> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        with_status(STATUS, |mut builder| {
            if self.replayed {
                builder.insert_header((api::header::IDEMPOTENT_REPLAYED, "true"));
            }
            let mut response = builder.json(self.body);
            if let Some(id) = self.made {
                response.extensions_mut().insert(Made(id));
            }
            response
        })
    }
}

impl<T: JsonSchema, const STATUS: u16> Described for Answer<T, STATUS> {
    fn describe(operation: &mut Operation) {
        operation.answers::<T>(STATUS, "application/json");
        operation.answers_header(
            STATUS,
            "Idempotent-Replayed",
            "`true` if this was answered before under the same key.",
        );
    }
}

/// The id of what a request made: with its answer, not in it.
pub(crate) struct Made(pub(crate) String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        assert_eq!(IdempotencyKey::parse("\"a-1\"").unwrap(), IdempotencyKey::parse("a-1").unwrap());
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let long = "x".repeat(256);
        for bad in ["", "\"\"", "a b", "a\u{e9}", "a\"b", "a\tb", long.as_str()] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
        }
        assert!(IdempotencyKey::parse(&"x".repeat(255)).is_ok());
    }
}

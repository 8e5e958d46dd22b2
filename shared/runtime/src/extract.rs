//! Strict extractors: a body, path or query that is not exactly what the route takes is a problem that names the field.
//!
//! Limits: 64 KiB of JSON ([`JsonLimit`] changes it per route), 32 levels deep, 10 s to arrive (see `incoming`), and 32 MiB of bodies that
//! are being read at a time in the whole process; a body that is announced above its limit is refused before it comes. The messages name fields and expected types and never repeat a value:
//! what was sent may be a password in the wrong place.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError, UrlencodedError};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::objects::Objects;
use crate::{Problem, Refusal, Single};

/// Bytes of a JSON body, unless a route says otherwise.
pub const JSON_LIMIT: usize = 64 * 1024;
/// Levels of nesting of a JSON body.
const DEPTH_LIMIT: usize = 32;
/// So much of a body is always read: no flood of large bodies stops the small ones, which are all that honest callers send. The largest is
/// an iPhone's evidence, of some 8 KiB.
const SMALL: usize = 16 * 1024;
/// Bytes beyond that of bodies that are being read at a time, in the whole process: most are of callers that nobody knows yet.
static ROOM: Semaphore = Semaphore::const_new(32 * 1024 * 1024);

/// The name of what refuses here, in metrics and audit log.
const LAYER: &str = "request";

/// Put into a route's `app_data` to take larger (or only smaller) bodies there.
#[derive(Debug, Clone, Copy)]
pub struct JsonLimit(pub usize);

/// A JSON body: media type, size, depth, no field that the type does not have and none twice, no list where an object
/// belongs, nothing after it. Free-form members are taken as they are.
#[derive(Debug, Clone)]
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for ApiJson<T> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        // Default: the limit of every route that has none of its own.
        let limit = request.app_data::<JsonLimit>().map_or(JSON_LIMIT, |limit| limit.0);
        let media_type = Single::of(request.headers(), header::CONTENT_TYPE.as_str()).one().is_some_and(is_json);
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let refused = |problem| Refusal::new(LAYER, "body_invalid", problem);
            if !media_type {
                let problem = Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
                return Err(refused(problem.detail("send `Content-Type: application/json`")));
            }
            let body = read_body(&request, &mut payload, limit).await?;
            Ok(Self(json(&body).map_err(refused)?))
        })
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than this.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// It has not arrived in time.
    #[error("the body did not arrive in time")]
    Late,
    /// The client ended it before its end, or framed it wrongly.
    #[error("the body broke off")]
    BrokenOff,
    /// Too many large bodies are being read.
    #[error("there is no room for the body")]
    NoRoom,
}

impl BodyError {
    /// The status that says so, and the stable word for the audit log.
    pub const fn row(self) -> (StatusCode, &'static str) {
        match self {
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::Late => (StatusCode::REQUEST_TIMEOUT, "body_late"),
            Self::BrokenOff => (StatusCode::BAD_REQUEST, "body_broken_off"),
            Self::NoRoom => (StatusCode::SERVICE_UNAVAILABLE, "body_no_room"),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let (status, reason) = error.row();
        let problem = Problem::of_status(status);
        let problem = match error {
            BodyError::TooLarge(limit) => problem.detail(format!("at most {limit} bytes")),
            BodyError::BrokenOff => problem.detail("the body broke off"),
            BodyError::Late | BodyError::NoRoom => problem,
        };
        Self::new(LAYER, reason, problem)
    }
}

/// Reads a whole body of at most `limit` bytes. The one way to read one; a route that takes no body needs none.
///
/// # Errors
///
/// [`BodyError`], of which nobody was told yet.
pub async fn read_body(request: &HttpRequest, payload: &mut Payload, limit: usize) -> Result<Bytes, BodyError> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    // What is not a length was refused before it came here.
    if announced.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge(limit));
    }
    let mut body = BytesMut::new();
    let mut taken = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| broken_off(&error))?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
        let beyond = chunk.len().min(body.len().saturating_sub(SMALL));
        if beyond > 0 {
            let beyond = u32::try_from(beyond).map_err(|_| BodyError::TooLarge(limit))?;
            taken.push(ROOM.try_acquire_many(beyond).map_err(|_| BodyError::NoRoom)?);
        }
    }
    Ok(body.freeze())
}

fn broken_off(error: &PayloadError) -> BodyError {
    match error {
        PayloadError::Io(cause) if cause.kind() == ErrorKind::TimedOut => BodyError::Late,
        error => {
            tracing::debug!(cause = %error, "a body broke off");
            BodyError::BrokenOff
        }
    }
}

/// Whether a body is JSON. Says of one that is not what [`ApiJson`] says.
///
/// # Errors
///
/// It is not.
pub fn check_json(body: &[u8]) -> Result<(), Problem> {
    let parsed: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(body);
    parsed.map(|_| ()).map_err(|error| json_problem(&error, ""))
}

/// Whether a body is nested no deeper than any that we take; to be asked before it is parsed.
///
/// # Errors
///
/// It is.
pub fn check_depth(body: &[u8]) -> Result<(), Problem> {
    if deeper_than(body, DEPTH_LIMIT) {
        return Err(Problem::invalid(format!("the body is nested deeper than {DEPTH_LIMIT} levels")));
    }
    Ok(())
}

/// Parses JSON as strictly as [`ApiJson`] does.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    check_depth(body)?;
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Objects(&mut parser)).map_err(|error| {
        let path = error.path().to_string();
        json_problem(error.inner(), &path)
    })?;
    parser.end().map_err(|error| json_problem(&error, ""))?;
    Ok(value)
}

fn json_problem(error: &serde_json::Error, path: &str) -> Problem {
    if error.classify() != serde_json::error::Category::Data {
        let (line, column) = (error.line(), error.column());
        return Problem::invalid(format!("the body is not valid JSON (line {line}, column {column})"));
    }
    refused(&error.to_string(), path)
}

/// A problem from serde's message, without the value in it.
pub(crate) fn refused(message: &str, path: &str) -> Problem {
    // Default: of what has no lines there is nothing to take off.
    let message = message.split_once(" at line ").map_or(message, |(message, _)| message);
    let keeps_values_out = ["missing field", "unknown field", "duplicate field"];
    let detail = if keeps_values_out.iter().any(|start| message.starts_with(start)) {
        message.to_owned()
    } else if let Some((_, expected)) = message.split_once("expected ") {
        // The name of a type of ours says nothing to a client.
        let is_ours = ["struct ", "internally tagged enum "].iter().any(|kind| expected.starts_with(kind));
        format!("expected {}", if is_ours { "an object" } else { expected })
    } else {
        "the value is not valid".to_owned()
    };
    let field = field_path(path, message);
    let problem = Problem::invalid(detail.chars().take(300).collect::<String>());
    if field.is_empty() { problem } else { problem.field(field) }
}

/// The path of the field that a serde message is about: a missing or unknown field is one step below where serde stood.
pub(crate) fn field_path(path: &str, message: &str) -> String {
    let path = if path == "." { "" } else { path };
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split('`').next());
    match named {
        Some(name) if path.rsplit('.').next() != Some(name) => {
            let name: String = name.chars().take(64).collect();
            if path.is_empty() { name } else { format!("{path}.{name}") }
        }
        _ => path.to_owned(),
    }
}

/// Whether a whole `Content-Type` is `application/json`, with or without `charset=utf-8` (RFC 8259 §11 defines no parameter; §8.1 no other encoding). The layer
/// that looks into a body and the handler that reads it ask the same about the same text: what one takes for JSON, the other does.
pub fn is_json(content_type: &str) -> bool {
    is_utf_8(content_type, "application/json")
}

/// Whether a whole `Content-Type` is this media type, with or without `charset=utf-8`, and nothing else.
pub fn is_utf_8(content_type: &str, media_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
    let is_utf_8 = |parameter: &str| {
        let charset = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
        charset.is_some_and(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"))
    };
    named && parts.all(|parameter| parameter.is_empty() || is_utf_8(parameter))
}

/// Whether a JSON text nests deeper than that. To be asked before parsing, because a parser recurses: it looks at brackets outside of strings
/// only; whether it is JSON at all, the parser says.
pub fn deeper_than(body: &[u8], limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// Sets actix's own extractors (`web::Path`, `web::Query`, `web::Form`, `web::Json`) to answer problems, for every route.
pub fn configure(config: &mut web::ServiceConfig) {
    fn refuse(reason: &'static str, problem: Problem) -> actix_web::Error {
        Refusal::new(LAYER, reason, problem).into()
    }
    let (form, body) = (web::FormConfig::default(), web::JsonConfig::default());
    config
        .app_data(web::PathConfig::default().error_handler(|why, it| refuse("path_invalid", path_problem(&why, it))))
        .app_data(web::QueryConfig::default().error_handler(|why, _| refuse("query_invalid", query_problem(&why))))
        .app_data(form.limit(JSON_LIMIT).error_handler(|why, _| refuse("form_invalid", form_problem(&why))))
        .app_data(body.limit(JSON_LIMIT).error_handler(|why, _| refuse("body_invalid", payload_problem(&why))))
        .app_data(web::PayloadConfig::default().limit(JSON_LIMIT));
}

fn path_problem(error: &PathError, request: &HttpRequest) -> Problem {
    let PathError::Deserialize(error) = error else {
        return Problem::invalid("the path is not valid");
    };
    // The error does not say which segment it is about; with one there is no doubt.
    let names: Vec<&str> = request.match_info().iter().map(|(name, _)| name).collect();
    refused(&error.to_string(), &names.join(","))
}

fn query_problem(error: &QueryPayloadError) -> Problem {
    match error {
        QueryPayloadError::Deserialize(error) => refused(&error.to_string(), ""),
        _ => Problem::invalid("the query is not valid"),
    }
}

fn form_problem(error: &UrlencodedError) -> Problem {
    match error {
        UrlencodedError::Parse(error) => refused(&error.to_string(), ""),
        other => Problem::of_status(actix_web::ResponseError::status_code(other)),
    }
}

fn payload_problem(error: &JsonPayloadError) -> Problem {
    match error {
        JsonPayloadError::Deserialize(error) => json_problem(error, ""),
        JsonPayloadError::ContentType => Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        other => Problem::of_status(actix_web::ResponseError::status_code(other)),
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;

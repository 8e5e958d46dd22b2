//! One HTTP round trip to a provider: the request, and what its answer means.

use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use serde_json::{Map, Value};
use thiserror::Error;

use super::sheet;
use crate::egress::{self, BodyError, EgressError, ReceivedAnswer};
use crate::ids::IdempotencyKey;
use crate::providers::document::{Document, MAX_DEPTH};
use crate::providers::format::Format;
use crate::providers::manifest::{Auth, Encoding, Kind, Method};
use crate::providers::parameter::Checked;
use crate::providers::word::Shape;
use crate::providers::{Operation, Provider};
use crate::secrets::{Keys, Live};

/// What is to be sent.
pub(super) struct Request<'a> {
    pub(super) provider: &'a Provider,
    pub(super) operation: &'a Operation,
    pub(super) params: &'a Checked,
    pub(super) key: Option<&'a IdempotencyKey>,
    /// Unix seconds.
    pub(super) now: i64,
}

/// How a round trip ended, if not well.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The secret was not accepted.
    #[error("the provider does not accept the secret")]
    Unauthenticated,
    /// Too much at the moment (429, 503), and for how long, if it says so.
    #[error("the provider is busy (status {0})")]
    Busy(u16, Option<Duration>),
    /// A no to this request: for an order one that the manifest lists, for anything else any 4xx.
    #[error("refused with status {0}")]
    Refused(u16),
    /// An answer that was not agreed for an order: it says nothing about what is on the books.
    #[error("status {0} without the agreed words")]
    Unlisted(u16),
    /// An error over there, or a state in which the request is still worked on.
    #[error("status {0}")]
    Status(u16),
    /// A redirect; none is followed.
    #[error("a redirect")]
    Redirect,
    /// The answer is not the agreed one.
    #[error("{0}")]
    Unexpected(String),
    /// What cannot happen has happened before anything was sent, so nothing is sent.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
    /// Our secret came back.
    #[error("the answer holds our secret")]
    Secret,
}

impl Fault {
    /// Whether the same request may do better a moment later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Egress(EgressError::Address(_) | EgressError::Certificate(_) | EgressError::Body(_)) => false,
            Self::Egress(_) | Self::Busy(..) | Self::Status(_) => true,
            _ => false,
        }
    }

    /// Whether it is certain that an order has not reached the provider's books: no byte of it was sent, or the provider said so in the
    /// words that were agreed. Every other answer may come from something that stands in front of the books.
    pub(super) fn without_effect(&self) -> bool {
        match self {
            Self::Egress(error) => error.before_sending(),
            Self::Refused(_) | Self::Invariant(_) => true,
            _ => false,
        }
    }

    /// Whether it counts against the provider's health, where this is what was asked. Of a check it does not, what an answer says: that depends on whom it is
    /// about, and so on whoever asks, who could close the gate to everybody by asking about one whose name has a character that nobody may send.
    pub(super) fn is_the_providers(&self, purpose: Kind) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Unexpected(_) | Self::Egress(EgressError::Body(BodyError::TooLarge)) => purpose != Kind::Check,
            _ => true,
        }
    }

    /// A pause that the provider asked for.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, pause) => *pause,
            _ => None,
        }
    }
}

/// Sends the request with one version of the secret, within `time`, and reads the answer; none of `keys` may come back in it.
pub(super) async fn round_trip(
    client: &Client,
    request: &Request<'_>,
    secret: Option<&Live>,
    keys: Option<&Keys>,
    time: Duration,
) -> Result<Map<String, Value>, Fault> {
    let sent = build(client, request, secret)?.timeout(time.min(request.operation.timeout));
    let response = runtime::http::send_outside(sent).await.map_err(EgressError::from)?;
    egress::check_framing(&response).map_err(EgressError::from)?;
    let status = response.status();
    // Looked through before it is judged: a refusal, too, can say our secret.
    let answer = egress::receive(response, request.operation.max_bytes).await;
    if keys.is_some_and(|keys| keys.scrubber.found_in(&answer.headers, &answer.body)) {
        return Err(Fault::Secret);
    }
    let (operation, code) = (request.operation, status.as_u16());
    let fault = judge(code, pause(&answer.headers, request.now), secret.is_some());
    let body = read(operation, answer);
    match operation.purpose {
        Kind::Order => order(operation, code, fault, body),
        Kind::Query | Kind::Check | Kind::Status => query(operation, code, fault, body),
    }
}

/// The answer to an order. Only the agreed words count; whatever else comes, the order may be on the books.
fn order(
    operation: &Operation,
    code: u16,
    fault: Option<Fault>,
    body: Result<Document, Fault>,
) -> Result<Map<String, Value>, Fault> {
    if let Ok(value) = &body {
        let fits = |shapes: &[Shape]| shapes.iter().any(|shape| shape.fits(code, value));
        match (fits(&operation.accepted), fits(&operation.refusals)) {
            (true, false) => return fields(operation, body?),
            (false, true) => return Err(Fault::Refused(code)),
            // A yes and a no in one answer are neither.
            (true, true) => return Err(Fault::Unlisted(code)),
            (false, false) => (),
        }
    }
    match code {
        // Default: a body that was read, and is not of the agreed words.
        200..=299 => Err(body.err().unwrap_or(Fault::Unlisted(code))),
        // Default: likewise.
        _ => Err(fault.unwrap_or(Fault::Unlisted(code))),
    }
}

/// The answer to a question. Nothing has happened whatever it is.
fn query(
    operation: &Operation,
    code: u16,
    fault: Option<Fault>,
    body: Result<Document, Fault>,
) -> Result<Map<String, Value>, Fault> {
    match code {
        200..=299 if operation.succeeds(code) => (),
        200..=299 => return Err(Fault::Unexpected(format!("status {code} is not of the agreed answer"))),
        // Default: any other status is a no to the question.
        _ => return Err(fault.unwrap_or(Fault::Refused(code))),
    }
    let body = body?;
    let Some(standings) = &operation.standings else { return fields(operation, body) };
    let outcome =
        standings.outcome(&body).ok_or_else(|| Fault::Unexpected("a standing that was not agreed".to_owned()))?;
    let mut answer = fields(operation, body)?;
    answer.insert("outcome".to_owned(), outcome.into());
    Ok(answer)
}

/// What a status means for any request; `None` where that depends on what was asked: for a success, and for a no to this one.
fn judge(status: u16, pause: Option<Duration>, with_secret: bool) -> Option<Fault> {
    match status {
        300..=399 => Some(Fault::Redirect),
        401 if with_secret => Some(Fault::Unauthenticated),
        429 | 503 => Some(Fault::Busy(status, pause)),
        // Timed out over there, or another request with this key is under way, or too early.
        408 | 409 | 425 => Some(Fault::Status(status)),
        200..=299 | 400..=499 => None,
        other => Some(Fault::Status(other)),
    }
}

fn fields(operation: &Operation, answer: Document) -> Result<Map<String, Value>, Fault> {
    operation.fields.apply(answer).map_err(|error| Fault::Unexpected(error.to_string()))
}

fn build(client: &Client, request: &Request<'_>, secret: Option<&Live>) -> Result<RequestBuilder, Fault> {
    let Request { provider, operation, params, key, .. } = request;
    let url = operation.url(&provider.base, params).map_err(Fault::Invariant)?;
    let mut builder = match operation.method {
        Method::Get => client.get(url),
        Method::Post if operation.encoding == Encoding::Form => {
            let text = form(&operation.body(params).map_err(Fault::Invariant)?, provider.auth.as_ref(), secret)?;
            client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(text)
        }
        Method::Post => client.post(url).json(&operation.body(params).map_err(Fault::Invariant)?),
    };
    builder = builder.header(ACCEPT_ENCODING, "identity").header(ACCEPT, accept(&operation.format));
    if let (Some(name), Some(key)) = (&operation.idempotency_header, key) {
        builder = builder.header(name, key.as_str());
    }
    if let (Some(secret), Some(Auth::Bearer { .. })) = (secret, &provider.auth) {
        // Room for all of it at once: a text that grows leaves a copy behind.
        let mut text = crypto::SecretString::new(String::with_capacity(7 + secret.value.expose().len()));
        text.expose_mut().push_str("Bearer ");
        text.expose_mut().push_str(secret.value.expose());
        let mut value =
            HeaderValue::from_str(text.expose()).map_err(|_| Fault::Invariant("a secret that fits no header"))?;
        // Neither reqwest nor hyper prints a sensitive value.
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    Ok(builder)
}

/// The body as a form, with the secret in it where that is its place.
fn form(members: &Map<String, Value>, auth: Option<&Auth>, secret: Option<&Live>) -> Result<String, Fault> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        form.append_pair(name, value.as_str().ok_or(Fault::Invariant("a field that is no text"))?);
    }
    if let (Some(secret), Some(Auth::Form { field, .. })) = (secret, auth) {
        form.append_pair(field, secret.value.expose());
    }
    Ok(form.finish())
}

fn read(operation: &Operation, answer: ReceivedAnswer) -> Result<Document, Fault> {
    let ReceivedAnswer { headers, body, end } = answer;
    egress::check(&headers, media_types(&operation.format)).map_err(EgressError::from)?;
    end?;
    let answer = match &operation.format {
        Format::Json => json(&body)?,
        Format::RateSheet(words) => {
            sheet::parse(words, &body).map_err(|error| Fault::Unexpected(error.to_string()))?.into()
        }
    };
    Ok(answer)
}

fn json(body: &[u8]) -> Result<Document, Fault> {
    if runtime::extract::deeper_than(body, MAX_DEPTH) {
        return Err(Fault::Unexpected("the answer is nested too deep".to_owned()));
    }
    // The position, but nothing of the text.
    Document::parse(body)
        .map_err(|error| Fault::Unexpected(format!("the answer is not JSON, each member once: {error}")))
}

fn accept(format: &Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::RateSheet(_) => "application/xml, text/xml",
    }
}

fn media_types(format: &Format) -> &'static [&'static str] {
    match format {
        Format::Json => &["application/json"],
        Format::RateSheet(_) => &["text/xml", "application/xml"],
    }
}

/// `Retry-After` (RFC 9110 §10.2.3), in seconds or as a date.
fn pause(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // An HTTP date is one of RFC 5322's forms (RFC 9110 §5.6.7).
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp();
    // Default: a date in the past asks for no pause.
    Some(Duration::from_secs(u64::try_from(date.saturating_sub(now)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        pause(&headers, 784_111_777).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_pause_is_read_as_seconds_or_as_a_date() {
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
        assert_eq!(asked("Sat, 05 Nov 1994 08:49:37 GMT"), Some(0), "in the past");
        for nothing in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(asked(nothing), None, "{nothing}");
        }
    }
}

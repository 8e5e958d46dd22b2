//! One request to a provider and its answer, judged.

use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder};
use serde_json::{Map, Value};
use thiserror::Error;

use super::ecb;
use crate::egress::{self, EgressError, Taken};
use crate::providers::manifest::{Method, ResponseKind};
use crate::providers::parameter::Checked;
use crate::providers::{Operation, Provider};
use crate::secrets::{Keys, Live};

/// Levels of nesting in an answer.
const MAX_DEPTH: usize = 32;
/// A provider that asks for a longer pause is not waited for.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// What is to be sent.
pub(super) struct Request<'a> {
    pub(super) provider: &'a Provider,
    pub(super) operation: &'a Operation,
    pub(super) params: &'a Checked,
    pub(super) key: Option<&'a str>,
}

/// How an exchange ended, if not well.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// No answer.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The secret was not accepted.
    #[error("the provider does not accept the secret")]
    Unauthenticated,
    /// Too much at the moment.
    #[error("the provider is busy")]
    Busy(Option<Duration>),
    /// A no to this request.
    #[error("refused with status {0}")]
    Refused(u16),
    /// An error over there, or a state in which the request is still worked on.
    #[error("status {0}")]
    Status(u16),
    /// A redirect; none is followed.
    #[error("a redirect")]
    Redirect,
    /// The answer is not the agreed one.
    #[error("{0}")]
    Answer(String),
    /// Our secret came back.
    #[error("the answer holds our secret")]
    Secret,
}

impl Fault {
    /// Whether the same request may do better a moment later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Egress(EgressError::Address(_) | EgressError::Body(_)) => false,
            Self::Egress(_) | Self::Busy(_) | Self::Status(_) => true,
            _ => false,
        }
    }

    /// Whether it is certain that the request had no effect.
    pub(super) fn without_effect(&self) -> bool {
        match self {
            Self::Egress(error) => error.before_sending(),
            Self::Unauthenticated | Self::Busy(_) | Self::Refused(_) => true,
            _ => false,
        }
    }

    /// Whether it counts against the provider's health.
    pub(super) fn is_the_providers(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// A pause that the provider asked for, when it is one that we grant.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Busy(pause) => pause.filter(|pause| *pause <= MAX_PAUSE),
            _ => None,
        }
    }
}

/// Sends the request with one version of the secret and reads the answer; none of `keys` may come back in it.
pub(super) async fn exchange(
    client: &Client,
    request: &Request<'_>,
    secret: Option<&Live>,
    keys: Option<&Keys>,
) -> Result<Map<String, Value>, Fault> {
    let response = runtime::http::send_outside(build(client, request, secret)?).await.map_err(EgressError::from)?;
    let status = response.status().as_u16();
    // Looked through before it is judged: a refusal, too, can say our secret.
    let answer = egress::take(response, request.operation.max_bytes).await;
    if keys.is_some_and(|keys| keys.scrubber.found_in(&answer.headers, &answer.body)) {
        return Err(Fault::Secret);
    }
    match status {
        200..=299 => read(request.operation, answer),
        300..=399 => Err(Fault::Redirect),
        401 if secret.is_some() => Err(Fault::Unauthenticated),
        429 => Err(Fault::Busy(pause(&answer.headers))),
        // Timed out over there, or another request with this key is under way, or too early.
        408 | 409 | 425 => Err(Fault::Status(status)),
        400..=499 => Err(Fault::Refused(status)),
        other => Err(Fault::Status(other)),
    }
}

fn build(client: &Client, request: &Request<'_>, secret: Option<&Live>) -> Result<RequestBuilder, Fault> {
    let Request { provider, operation, params, key } = request;
    let url = operation.url(&provider.base, params);
    let mut builder = match operation.method {
        Method::Get => client.get(url),
        Method::Post => client.post(url).json(&operation.body(params)),
    };
    builder =
        builder.timeout(operation.timeout).header(ACCEPT_ENCODING, "identity").header(ACCEPT, accept(operation.kind));
    if let (Some(name), Some(key)) = (&operation.idempotency_header, key) {
        builder = builder.header(name, *key);
    }
    if let Some(secret) = secret {
        // Room for all of it at once: a text that grows leaves a copy behind.
        let mut text = crypto::SecretString::new(String::with_capacity(7 + secret.value.expose().len()));
        text.expose_mut().push_str("Bearer ");
        text.expose_mut().push_str(secret.value.expose());
        let mut value =
            HeaderValue::from_str(text.expose()).map_err(|_| Fault::Answer("the secret fits no header".to_owned()))?;
        // Neither reqwest nor hyper prints a sensitive value.
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    Ok(builder)
}

fn read(operation: &Operation, answer: Taken) -> Result<Map<String, Value>, Fault> {
    let Taken { headers, body, end } = answer;
    egress::check(&headers, media_types(operation.kind)).map_err(EgressError::from)?;
    end?;
    let answer = match operation.kind {
        ResponseKind::Json => json(&body)?,
        ResponseKind::EcbXml => ecb::parse(&body).map_err(|error| Fault::Answer(error.to_string()))?,
    };
    operation.fields.apply(answer).map_err(|error| Fault::Answer(error.to_string()))
}

fn json(body: &[u8]) -> Result<Value, Fault> {
    if !egress::depth_within(body, MAX_DEPTH) {
        return Err(Fault::Answer("the answer is nested too deep".to_owned()));
    }
    serde_json::from_slice(body).map_err(|_| Fault::Answer("the answer is not JSON".to_owned()))
}

fn accept(kind: ResponseKind) -> &'static str {
    match kind {
        ResponseKind::Json => "application/json",
        ResponseKind::EcbXml => "application/xml, text/xml",
    }
}

fn media_types(kind: ResponseKind) -> &'static [&'static str] {
    match kind {
        ResponseKind::Json => &["application/json"],
        ResponseKind::EcbXml => &["text/xml", "application/xml"],
    }
}

/// `Retry-After` in seconds; dates are not waited for.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

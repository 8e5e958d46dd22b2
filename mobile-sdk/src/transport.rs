//! One HTTP request, one answer: https only, no redirects, no proxy, bounded in time and size.
//!
//! What it adds to the HTTP client is an honest distinction: was nothing sent, or is the outcome unknown?

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use api::user_agent::UserAgent;
use crypto::SecretBytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use crate::Error;
use crate::config::Config;
use crate::platform::Clock;
use crate::tls::{PinError, client_config};

/// No answer of ours is larger.
const MAX_BODY: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Shorter than the servers' keep-alive (30 s), so that a request never meets a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Clocks that differ by less are left as they are (`Date` has whole seconds).
const MIN_SKEW: i64 = 3;
/// A server that is further off than this is not followed: proofs made for days ahead could be kept for then.
const MAX_SKEW: i64 = 86_400;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was sent.
    NotSent(Error),
    /// It was sent, at least in part.
    Unknown,
}

impl Failure {
    /// The error for a caller that does not try again.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotSent(error) => error,
            Self::Unknown => Error::OutcomeUnknown,
        }
    }
}

/// An answer, whatever its status. The body may be tokens, so it is cleared when dropped.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: SecretBytes,
}

impl RawResponse {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header that stands there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let name = HeaderName::try_from(name).ok()?;
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    /// `Retry-After` in seconds (RFC 9110 §10.2.3; our servers never send a date).
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.parse().ok().map(Duration::from_secs)
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(self.body.expose()).map_err(|_| Error::Malformed("not the JSON of this call"))
    }

    /// The problem details in this answer (RFC 9457), if they are of this answer.
    pub(crate) fn problem(&self) -> Option<api::Problem> {
        serde_json::from_slice(self.body.expose()).ok().filter(|problem: &api::Problem| problem.status == self.status)
    }

    /// The refusal in this answer. Of a request that changes something it is the truth only if nothing was carried out.
    pub(crate) fn into_refusal(self) -> Error {
        if self.status == 503 {
            return Error::Busy(self.retry_after());
        }
        match self.problem() {
            Some(problem) if problem.code == api::problem::code::CLIENT_OUTDATED => Error::UpdateRequired,
            Some(problem) => Error::Refused(Box::new(problem)),
            None => Error::Malformed("a refusal without problem details"),
        }
    }
}

/// A header value that does not print.
pub(crate) fn secret_header(value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::Malformed("a token is not a header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The connection to our servers.
pub(crate) struct Transport {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    /// Seconds that the servers' clock is ahead of ours.
    skew: AtomicI64,
}

impl Transport {
    #[expect(clippy::disallowed_methods, reason = "the SDK's own client, with our TLS configuration")]
    pub(crate) fn new(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let tls = client_config(&config.trust_anchors, config.pins.clone(), clock.clone())?;
        let api_key = HeaderValue::from_str(&config.api_key).map_err(|_| Error::Config("api_key"))?;
        let named = HeaderMap::from_iter([(HeaderName::from_static(api::header::API_KEY), api_key)]);
        let client = reqwest::Client::builder()
            .default_headers(named)
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // The SDK decides what may be sent twice.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .user_agent(UserAgent(&config.app).to_string())
            .build()
            .map_err(|_| Error::Config("the HTTP client cannot be built"))?;
        Ok(Self { client, clock, skew: AtomicI64::new(0) })
    }

    /// A request to fill in.
    pub(crate) fn request(&self, method: reqwest::Method, url: url::Url) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Unix seconds as the servers count them, for what they check against their clock.
    pub(crate) fn now(&self) -> i64 {
        self.clock.unix().saturating_add(self.skew.load(Ordering::Relaxed))
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<RawResponse, Failure> {
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        // Room from the start: growing would leave copies behind that are not cleared.
        let mut body = SecretBytes::new(Vec::with_capacity(expected.min(MAX_BODY)));
        while let Some(chunk) = response.chunk().await.map_err(|_| Failure::Unknown)? {
            if body.expose().len() + chunk.len() > MAX_BODY {
                return Err(Failure::Unknown);
            }
            body.expose_mut().extend_from_slice(&chunk);
        }
        let answer = RawResponse { status, headers, body };
        self.note_date(&answer);
        Ok(answer)
    }

    /// A phone whose clock is wrong must still make proofs that the servers take for fresh. The pinned channel makes
    /// `Date` trustworthy; certificates are checked against the phone's own clock.
    fn note_date(&self, answer: &RawResponse) {
        let date = answer.header("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
        if let Some(date) = date {
            let ahead = date.timestamp().saturating_sub(self.clock.unix());
            self.skew.store(skew(ahead), Ordering::Relaxed);
        }
    }
}

/// What is made of a server that is `ahead` seconds ahead.
fn skew(ahead: i64) -> i64 {
    if (MIN_SKEW..=MAX_SKEW).contains(&ahead.saturating_abs()) { ahead } else { 0 }
}

fn classify(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        return Failure::NotSent(Error::Config("the request cannot be built"));
    }
    // A TLS handshake is part of connecting: no byte of HTTP has left.
    if !error.is_connect() {
        return Failure::Unknown;
    }
    let tls = tls_error(error);
    Failure::NotSent(match tls {
        None => Error::Unreachable,
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)))
            if other.0.downcast_ref() == Some(&PinError::Expired) =>
        {
            Error::PinsExpired
        }
        Some(_) => Error::Untrusted,
    })
}

/// The TLS error at the bottom of the chain; `io::Error` hides what it carries from `source`.
fn tls_error(error: &reqwest::Error) -> Option<rustls::Error> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls.clone());
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_days_off_is_not_followed() {
        let followed = [0, 2, -2, 3, -3, 86_400, -86_400, 86_401, -86_401, i64::MAX, i64::MIN].map(skew);
        assert_eq!(followed, [0, 0, 0, 3, -3, 86_400, -86_400, 0, 0, 0, 0]);
    }
}

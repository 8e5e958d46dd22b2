//! What a caller is told of a refusal: RFC 9457 problem+json.
//!
//! A problem becomes an answer as part of a [`Refusal`](crate::Refusal) only; everything that actix refuses by itself (an unknown route) is
//! turned into one too, in `middleware`. A problem says what helps the caller and no more; the cause of a 5xx is logged, once, where it
//! becomes a problem.

use std::fmt;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use api::problem::{MEDIA_TYPE, code};
use storage::{Retry as _, StorageError};

/// Status, stable code, which has its title, and what may be said beyond that.
#[derive(Debug, Clone)]
pub struct Problem {
    /// HTTP status of the answer, which is in the body, too.
    pub status: StatusCode,
    /// The stable code, one of [`api::problem::code`].
    pub code: &'static str,
    /// What is wrong with this request, when it helps and leaks nothing.
    pub detail: Option<String>,
    /// The offending field, e.g. `amount.currency`.
    pub field: Option<String>,
    /// The payment that its payer has to approve first.
    pub approval: Option<api::Id>,
    /// Until when the caller's phone is new, as it travels, where that is why.
    // Boxed: rarely there, and a refusal is returned by value.
    pub new_until: Option<Box<String>>,
    /// Headers beside the usual ones (`Retry-After`, `DPoP-Nonce`, …).
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem without detail.
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, detail: None, field: None, approval: None, new_until: None, headers: Vec::new() }
    }

    /// Says what is wrong with this request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the offending field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the payment that its payer has to approve first.
    #[must_use]
    pub fn approval(mut self, id: api::Id) -> Self {
        self.approval = Some(id);
        self
    }

    /// Says until when the caller's phone is new, where that is why.
    #[must_use]
    pub fn new_until(mut self, until: Option<String>) -> Self {
        self.new_until = until.map(Box::new);
        self
    }

    /// Adds a header. A value that cannot be a header is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// 400 `request.invalid`: what came is not what should have come.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::REQUEST_INVALID).detail(detail)
    }

    /// 401 `auth.unauthorized`: the one refusal of all token layers.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code::UNAUTHORIZED)
    }

    /// 403 `auth.forbidden`: the caller is known and may not.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, code::FORBIDDEN)
    }

    /// 404 `request.not_found`.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND)
    }

    /// 503 `server.busy` with `Retry-After`.
    pub fn busy(retry_after_seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::BUSY)
            .header(actix_web::http::header::RETRY_AFTER, &retry_after_seconds.to_string())
    }

    /// 503 `server.outcome_unknown`: the client sends the same request with the same key again and gets the truth.
    pub fn outcome_unknown() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::OUTCOME_UNKNOWN)
            .header(actix_web::http::header::RETRY_AFTER, "1")
    }

    /// 500 `server.internal`: the cause goes to the log, not to the caller.
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(cause = %cause, "internal error");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL)
    }

    /// The problem that says no more than a status does.
    pub fn of_status(status: StatusCode) -> Self {
        let code = match status.as_u16() {
            401 => code::UNAUTHORIZED,
            403 => code::FORBIDDEN,
            404 => code::NOT_FOUND,
            405 => code::METHOD_NOT_ALLOWED,
            408 => code::TIMEOUT,
            413 | 414 | 431 => code::TOO_LARGE,
            415 => code::UNSUPPORTED_MEDIA_TYPE,
            429 | 503 => return Self { status, ..Self::busy(1) },
            400..=499 => code::REQUEST_INVALID,
            _ => code::INTERNAL,
        };
        Self::new(status, code)
    }

    /// The body of the answer (RFC 9457).
    pub fn wire(&self) -> api::Problem {
        let mut wire = api::Problem::new(self.status.as_u16(), self.code);
        wire.detail.clone_from(&self.detail);
        wire.field.clone_from(&self.field);
        wire.approval.clone_from(&self.approval);
        wire.new_until = self.new_until.as_deref().cloned();
        wire
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code)
    }
}

impl std::error::Error for Problem {}

impl Problem {
    /// The whole answer: status, headers and body.
    pub(crate) fn response(&self) -> HttpResponse {
        let mut builder = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            builder.append_header((name.clone(), value.clone()));
        }
        let wire = self.wire();
        let mut response = builder.content_type(MEDIA_TYPE).body(body(&wire));
        // The middleware adds the request's id to the body, which only it knows.
        response.extensions_mut().insert(wire);
        response
    }
}

/// A wire problem as bytes.
pub(crate) fn body(wire: &api::Problem) -> Vec<u8> {
    // Default: nothing, with the status that says it, too.
    serde_json::to_vec(wire).unwrap_or_else(|error| {
        tracing::error!(cause = %error, "a problem cannot be written");
        Vec::new()
    })
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy(_) | StorageError::Held(_) | StorageError::Unavailable(_) => {
                tracing::error!(cause = %error, "database not available");
                Self::busy(1)
            }
            StorageError::OutcomeUnknown(_) => {
                tracing::error!(cause = %error, "commit outcome unknown");
                Self::outcome_unknown()
            }
            // It lost against others five times; nothing was written.
            StorageError::Query(_) if error.is_transient() => {
                tracing::warn!(cause = %error, "a transaction found no gap");
                Self::busy(1)
            }
            StorageError::Query(_) | StorageError::Migration(_) | StorageError::Unusable(_) => Self::internal(&error),
        }
    }
}

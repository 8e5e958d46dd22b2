//! One error type with stable codes. It carries no token, no body and no text of the platform.

use std::time::Duration;

use api::Problem;
use thiserror::Error;

use crate::platform::PlatformError;
use crate::step_up::StepUp;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The configuration is unusable; the text says what to change.
    #[error("configuration: {0}")]
    Config(&'static str),
    /// The phone could not do its part.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// Nothing was sent: no network, no server.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The certificate is not ours: unknown authority, no pin on the verified path, expired, or another name.
    #[error("the server's identity is not proven")]
    Untrusted,
    /// The embedded pin set has expired: the app must be updated. Nothing was sent.
    #[error("the pin set has expired")]
    PinsExpired,
    /// The request may or may not have been carried out. Call again, with the same [`crate::IdempotencyKey`] where there is one.
    #[error("the outcome is not known")]
    OutcomeUnknown,
    /// The server refused, and said why.
    #[error("refused: {}", .0.code)]
    Refused(Box<Problem>),
    /// The person has to approve this payment: [`crate::Client::approve`], then the same call again with the same key. Nothing has happened.
    #[error("the payer has to approve the payment")]
    ApprovalRequired(Box<StepUp>),
    /// This phone is new to its user, and so much is not moved from it to others: until then (RFC 3339), or with an approval by a second factor that the person has
    /// had for as long. Nothing has happened: the same call with the same key may come later.
    #[error("the phone is new until {until}")]
    NewPhone {
        /// When it is new no longer, by the server's clock.
        until: String,
    },
    /// This build is no longer let in: the app has to be updated. Nothing has happened, and nothing works until then.
    #[error("the app has to be updated")]
    UpdateRequired,
    /// The authorization server refused (RFC 6749 §5.2).
    #[error("refused by the authorization server: {0}")]
    OAuth(String),
    /// The server is busy and said when to come back.
    #[error("the server is busy")]
    Busy(Option<Duration>),
    /// The answer is not what the protocol says.
    #[error("unexpected answer: {0}")]
    Malformed(&'static str),
    /// The answer's signature is missing or wrong: do not show it.
    #[error("the answer is not authentic")]
    ResponseSignature,
    /// The redirect back from the browser is not the answer to our request.
    #[error("the login's answer is not for this login: {0}")]
    LoginMismatch(&'static str),
    /// [`crate::Client::enroll`] must come first, or again: this phone has no instance, or has lost its key.
    #[error("this instance is not enrolled")]
    NotEnrolled,
    /// [`crate::Client::login`] is needed: nobody is logged in; or the instance is refused, and the phone has enrolled anew beside it:
    /// tokens are bound to the key of one instance, so the new one takes over with the next login.
    #[error("a login is needed")]
    LoginRequired,
}

impl Error {
    /// The stable code, e.g. `ledger.insufficient_funds`, `network.untrusted`, `oauth.invalid_grant`.
    pub fn code(&self) -> String {
        let fixed = match self {
            Self::Refused(problem) => return problem.code.clone(),
            Self::OAuth(code) => return format!("oauth.{code}"),
            Self::Platform(error) => error.code(),
            Self::ApprovalRequired(_) => api::problem::code::APPROVAL_REQUIRED,
            Self::NewPhone { .. } => api::problem::code::INSTANCE_COOLING_OFF,
            Self::UpdateRequired => api::problem::code::CLIENT_OUTDATED,
            Self::Config(_) => "sdk.config_invalid",
            Self::Unreachable => "network.unreachable",
            Self::Untrusted => "network.untrusted",
            Self::PinsExpired => "network.pins_expired",
            Self::OutcomeUnknown => "network.outcome_unknown",
            Self::Busy(_) => api::problem::code::BUSY,
            Self::Malformed(_) => "response.malformed",
            Self::ResponseSignature => "response.signature_invalid",
            Self::LoginMismatch(_) => "login.mismatch",
            Self::NotEnrolled => "session.not_enrolled",
            Self::LoginRequired => "session.login_required",
        };
        fixed.to_owned()
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::OutcomeUnknown | Self::Busy(_) | Self::Platform(PlatformError::Unavailable)
        )
    }
}

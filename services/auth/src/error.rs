//! Every refusal of this service and what it says: to the client (`error`), to the person (a page), to the operator
//! (layer and reason).
//!
//! Invariant: all reasons for which a code or a refresh token is refused look the same from outside.

use runtime::CookieError;
use storage::StorageError;

/// What cannot happen has happened. The operation stops; the log has the cause, and the client learns that the fault is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("broken invariant: {0}")]
pub struct Invariant(pub &'static str);

/// Error codes of OAuth and its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// RFC 6749 §5.2.
    InvalidRequest,
    /// RFC 6749 §5.2.
    InvalidClient,
    /// RFC 6749 §5.2.
    InvalidGrant,
    /// RFC 6749 §5.2.
    InvalidScope,
    /// RFC 6749 §5.2.
    UnsupportedGrantType,
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// RFC 8707 §2.
    InvalidTarget,
    /// OpenID Connect Core §3.1.2.6.
    RequestNotSupported,
    /// RFC 9449 §5.
    InvalidDpopProof,
    /// RFC 9449 §8.
    UseDpopNonce,
    /// draft-ietf-oauth-attestation-based-client-auth.
    InvalidClientAttestation,
    /// draft-ietf-oauth-attestation-based-client-auth.
    UseFreshAttestation,
    /// RFC 6750 §3.1.
    InvalidToken,
    /// RFC 6750 §3.1.
    InsufficientScope,
    /// RFC 6749 §4.1.2.1.
    TemporarilyUnavailable,
    /// RFC 6749 §4.1.2.1.
    ServerError,
}

impl ErrorCode {
    /// The value of `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidTarget => "invalid_target",
            Self::RequestNotSupported => "request_not_supported",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::InvalidClientAttestation => "invalid_client_attestation",
            Self::UseFreshAttestation => "use_fresh_attestation",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The status at the authorization server's own endpoints.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidClientAttestation | Self::UseFreshAttestation | Self::InvalidToken => {
                401
            }
            Self::InsufficientScope => 403,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// A refusal at a protocol endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct Refusal {
    /// For the client.
    pub code: ErrorCode,
    /// For the client's developer.
    pub description: &'static str,
    /// For the audit log: which layer.
    pub layer: &'static str,
    /// For the audit log: why.
    pub reason: &'static str,
    /// For the audit log: under which the operator finds the verdict on the instance.
    pub support_id: Option<String>,
    /// For the audit log: what a refused client attestation names as its support id, whoever made it.
    pub claimed_support_id: Option<String>,
}

impl Refusal {
    /// A refusal by a layer.
    pub const fn new(code: ErrorCode, layer: &'static str, reason: &'static str, description: &'static str) -> Self {
        Self { code, description, layer, reason, support_id: None, claimed_support_id: None }
    }

    /// A request that is not what the protocol asks for.
    pub const fn request(reason: &'static str, description: &'static str) -> Self {
        Self::new(ErrorCode::InvalidRequest, "request", reason, description)
    }

    /// A client that is not who it says; it is told no more than that.
    pub const fn client(reason: &'static str) -> Self {
        Self::new(ErrorCode::InvalidClient, "client_authentication", reason, "client authentication failed")
    }

    /// A code or refresh token that gives nothing, for whatever reason.
    pub const fn grant(layer: &'static str, reason: &'static str) -> Self {
        let description = "the grant is unknown, expired, used or bound to another client or key";
        Self::new(ErrorCode::InvalidGrant, layer, reason, description)
    }

    /// A `DPoP` proof that does not hold.
    pub const fn proof(reason: &'static str) -> Self {
        Self::new(
            ErrorCode::InvalidDpopProof,
            "dpop",
            reason,
            "the DPoP proof is missing or not valid for this request",
        )
    }

    /// Something of ours is missing; nothing is said about the client.
    pub const fn unavailable(reason: &'static str) -> Self {
        Self::new(ErrorCode::TemporarilyUnavailable, "availability", reason, "try again in a moment")
    }

    /// A fault of ours. The cause goes to the log, here and nowhere else.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(cause = %cause, "internal error");
        Self::new(ErrorCode::ServerError, "internal", "internal_error", "something went wrong on our side")
    }

    /// Names the instance in the audit log.
    #[must_use]
    pub fn of_instance(mut self, support_id: &str) -> Self {
        self.support_id = Some(support_id.to_owned());
        self
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Query(_) | StorageError::Migration(_) => Self::internal(&error),
            // An outcome that is unknown is told as such by "try again": codes and requests are single use anyway.
            _ => {
                tracing::error!(cause = %error, "database not available");
                Self::unavailable("database_unavailable")
            }
        }
    }
}

/// The stable word for a parameter that is no text ([`crate::form`]), at every endpoint.
pub(crate) const NOT_TEXT: &str = "parameter_not_text";

/// A refusal that a person sees as a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageRefusal {
    /// No such pushed request, or its time is over, or it has been answered, or it is another client's.
    #[error("request_uri_unusable")]
    Request,
    /// No interaction belongs to this browser any more.
    #[error("interaction_unknown")]
    Interaction,
    /// The browser sends two cookies of one name of ours.
    #[error("cookie_doubled")]
    CookieDoubled,
    /// The browser sends more cookies than are read.
    #[error("cookies_too_many")]
    CookiesTooMany,
    /// The form does not carry the token of the page it came from.
    #[error("csrf_mismatch")]
    Csrf,
    /// Another site sent the form.
    #[error("origin_mismatch")]
    Origin,
    /// The form is not one of ours.
    #[error("form_malformed")]
    Form,
    /// A parameter in the form or the address is no text.
    #[error("{NOT_TEXT}")]
    NotText,
    /// Too many tries in one interaction.
    #[error("attempts_exhausted")]
    Attempts,
    /// The request has been answered in the meantime.
    #[error("request_already_answered")]
    Answered,
    /// Too many passwords at once.
    #[error("password_queue_full")]
    Busy,
    /// The database cannot be reached.
    #[error("database_unavailable")]
    Unavailable,
    /// A fault of ours.
    #[error("internal_error")]
    Internal,
}

impl PageRefusal {
    /// A fault of ours. The cause goes to the log, here and nowhere else.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(cause = %cause, "internal error");
        Self::Internal
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Request
            | Self::Interaction
            | Self::CookieDoubled
            | Self::CookiesTooMany
            | Self::Form
            | Self::NotText => 400,
            Self::Csrf | Self::Origin => 403,
            Self::Answered => 409,
            Self::Attempts => 429,
            Self::Internal => 500,
            Self::Busy | Self::Unavailable => 503,
        }
    }

    /// The layer in the audit log.
    pub const fn layer(self) -> &'static str {
        match self {
            Self::Request | Self::Answered => "request_uri",
            Self::Interaction => "interaction",
            Self::CookieDoubled | Self::CookiesTooMany => "cookie",
            Self::Csrf => "csrf",
            Self::Origin => "origin",
            Self::Form | Self::NotText => "request",
            Self::Attempts => "throttle",
            Self::Busy | Self::Unavailable => "availability",
            Self::Internal => "internal",
        }
    }

    /// The stable word in the audit log.
    pub fn reason(self) -> String {
        self.to_string()
    }

    /// What the person reads.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Request => "This sign-in link is no longer valid. Go back to the app and start again.",
            Self::Interaction => {
                "This sign-in has expired or belongs to another browser. Go back to the app and start again."
            }
            Self::CookieDoubled | Self::CookiesTooMany => {
                "Your browser sends cookies that cannot be ours. Delete the cookies of this site and start again."
            }
            Self::NotText => "Something in this form or address is not text. Go back to the app and start again.",
            Self::Csrf | Self::Origin | Self::Form => {
                "This form did not come from our page as it should. Go back to the app and start again."
            }
            Self::Attempts => "There were too many tries. Go back to the app and start again.",
            Self::Answered => "This sign-in has already been answered. Go back to the app.",
            Self::Busy | Self::Unavailable => "We are busy just now. Please try again in a moment.",
            Self::Internal => "Something went wrong on our side. Please try again later.",
        }
    }
}

impl From<Invariant> for PageRefusal {
    fn from(error: Invariant) -> Self {
        Self::internal(&error)
    }
}

impl From<CookieError> for PageRefusal {
    fn from(error: CookieError) -> Self {
        match error {
            CookieError::Doubled => Self::CookieDoubled,
            CookieError::TooMany => Self::CookiesTooMany,
        }
    }
}

impl From<StorageError> for PageRefusal {
    fn from(error: StorageError) -> Self {
        tracing::error!(cause = %error, "database");
        match error {
            StorageError::Query(_) | StorageError::Migration(_) => Self::Internal,
            _ => Self::Unavailable,
        }
    }
}

//! What can go wrong in a request, and the one table of what its caller and the operator are told.
//!
//! Only what says nothing about the integrity of a phone is an error. Whatever is wrong with *evidence* is not: it has a verdict
//! and an answer of the usual shape.

use api::problem::code;
use runtime::{Problem, Refusal, Refuse, StatusCode, Who};
use storage::{Retry, StorageError};

/// Why a request is refused honestly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is not what it should be.
    #[error("{field}: {detail}")]
    Invalid {
        field: &'static str,
        /// What it should be.
        detail: &'static str,
    },
    /// Unknown, used, expired, or made for something else.
    #[error("the challenge is not valid")]
    Challenge,
    /// The evidence cannot even be looked at.
    #[error("{field}: the evidence is malformed")]
    Evidence { field: &'static str },
    /// Renewal by an instance that has never attested.
    #[error("the instance is not known")]
    InstanceUnknown,
    /// The API key was given to another app, or for another platform.
    #[error("the API key is another app's")]
    AppOfAnotherKey,
    /// Evidence cannot be judged now, because the revocation list is too old.
    #[error("the revocation list is older than the policy allows")]
    RevocationStale,
    /// Something of ours failed.
    #[error("{0}")]
    Internal(&'static str),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retry for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

impl Refuse for Error {
    /// Nothing that would say who the caller is has been proven, so the line in the audit log says only from where it came.
    fn refusal(self, _: &Who) -> Refusal {
        let refuse = |reason, problem| Refusal::new("attestation", reason, problem);
        let invalid =
            |code, detail: &str, field| Problem::new(StatusCode::BAD_REQUEST, code).detail(detail).field(field);
        match self {
            Self::Invalid { field, detail } => {
                let reason = if field == "proof" { "proof_invalid" } else { "field_invalid" };
                refuse(reason, Problem::invalid(detail).field(field))
            }
            Self::Challenge => {
                let problem = invalid(code::CHALLENGE_INVALID, "ask for a new challenge", "challenge");
                refuse("challenge_invalid", problem)
            }
            Self::Evidence { field } => {
                let detail = "expected standard base64 in the format of the platform";
                let problem = invalid(code::EVIDENCE_MALFORMED, detail, field);
                refuse("evidence_malformed", problem)
            }
            Self::InstanceUnknown => {
                refuse("instance_unknown", Problem::new(StatusCode::NOT_FOUND, code::INSTANCE_UNKNOWN))
            }
            Self::AppOfAnotherKey => refuse("app_of_another_key", defense::client_unknown()),
            Self::RevocationStale => {
                tracing::error!(cause = %self, "attestation is refused until the list is refreshed");
                Refusal::unrecorded(Problem::busy(60))
            }
            Self::Internal(_) => Refusal::internal(&self),
            Self::Storage(error) => error.into(),
        }
    }
}

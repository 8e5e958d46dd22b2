//! What can go wrong in a request, and the one mapping to problems.
//!
//! Only what says nothing about the integrity of a phone is an error. Whatever is wrong with *evidence* is not: it has a verdict
//! and an answer of the usual shape.

use api::problem::code;
use runtime::audit::{self, Who};
use runtime::{Problem, metrics};
use storage::{Retry, StorageError};

/// The instance is not known: it must attest first.
pub const INSTANCE_UNKNOWN: &str = "attestation.instance_unknown";

/// The name of what refuses here, in metrics and audit log.
const LAYER: &str = "attestation";

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
    /// Evidence cannot be judged now, because the revocation list is too old.
    #[error("the revocation list is older than the policy allows")]
    RevocationStale,
    /// Something of ours failed.
    #[error("{0}")]
    Internal(&'static str),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retry for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

impl Error {
    /// The stable word for the audit log. What is our own fault has none: its cause is in the error log.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field: "proof", .. } => Some("proof_invalid"),
            Self::Invalid { .. } => Some("field_invalid"),
            Self::Challenge => Some("challenge_invalid"),
            Self::Evidence { .. } => Some("evidence_malformed"),
            Self::InstanceUnknown => Some("instance_unknown"),
            Self::RevocationStale | Self::Internal(_) | Self::Storage(_) => None,
        }
    }

    /// The problem for the caller. Nothing that would say who it is has been proven, so the line in the audit log says only from where.
    pub(crate) fn refuse(self) -> Problem {
        if let Some(reason) = self.reason() {
            metrics::decision(LAYER, "refuse");
            audit::refused(LAYER, reason, Who::default());
        }
        self.into()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, detail } => Self::invalid(detail).field(field),
            Error::Challenge => Self {
                code: code::CHALLENGE_INVALID,
                title: "The challenge is unknown, used, expired or made for something else".to_owned(),
                ..Self::invalid("ask for a new challenge").field("challenge")
            },
            Error::Evidence { field } => Self {
                code: code::EVIDENCE_MALFORMED,
                title: "The evidence is malformed".to_owned(),
                ..Self::invalid("expected standard base64 in the format of the platform").field(field)
            },
            Error::InstanceUnknown => {
                Self { code: INSTANCE_UNKNOWN, title: "The instance has not attested".to_owned(), ..Self::not_found() }
            }
            Error::RevocationStale => {
                tracing::error!(cause = %error, "attestation is refused until the list is refreshed");
                Self::busy(60)
            }
            Error::Internal(_) => Self::internal(&error),
            Error::Storage(error) => error.into(),
        }
    }
}

//! A refusal on its way out, and what becomes one: broken invariants, the database, cookies. What each says is in the one
//! table ([`crate::refusals`]).

use std::fmt::Display;
use std::ops::Deref;

use api::SupportId;
use identity::TokenError;
use runtime::{CookieError, Record, Who};
use storage::StorageError;

pub use crate::refusals::{ErrorCode, PageRefusal, Row, Why};

/// What cannot happen has happened. The operation stops; the log has the cause, and the client learns that the fault is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("broken invariant: {0}")]
pub struct Invariant(pub &'static str);

/// A refusal at a protocol endpoint: a row of the table, and whom it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", row.code.as_str(), row.description)]
pub struct Refusal {
    row: Row,
    /// Under which the operator finds the verdict on the instance.
    support_id: Option<SupportId>,
    /// What a refused client attestation names as its support id, whoever made it.
    // Text: whoever made the token wrote it.
    claimed_support_id: Option<String>,
}

impl Deref for Refusal {
    type Target = Row;

    fn deref(&self) -> &Row {
        &self.row
    }
}

impl From<Why> for Refusal {
    fn from(why: Why) -> Self {
        Self { row: why.row(), support_id: None, claimed_support_id: None }
    }
}

impl Why {
    /// With the word of the check in the `identity` crate that refused as the reason.
    pub(crate) fn with_reason(self, reason: &'static str) -> Refusal {
        Refusal { row: Row { reason, ..self.row() }, ..self.into() }
    }

    /// With a description that names the parameter.
    pub(crate) fn with_description(self, description: &'static str) -> Refusal {
        Refusal { row: Row { description, ..self.row() }, ..self.into() }
    }
}

impl Refusal {
    /// A fault of ours. The cause goes to the log, here and nowhere else.
    pub fn internal(cause: &dyn Display) -> Self {
        tracing::error!(cause = %cause, "internal error");
        Why::Internal.into()
    }

    /// Names the instance in the audit log.
    #[must_use]
    pub fn of_instance(mut self, support_id: &SupportId) -> Self {
        self.support_id = Some(support_id.clone());
        self
    }

    /// Names, in the audit log, what a refused client attestation says of itself.
    #[must_use]
    pub fn with_claimed_support_id(mut self, text: Option<String>) -> Self {
        self.claimed_support_id = text;
        self
    }

    /// For the operator. What an honest client can answer with its next request is a challenge, and claims nothing.
    pub(crate) fn record(&self) -> Record {
        let record = Record::new(self.layer, self.reason);
        let record = if self.reason == TokenError::Decoy.reason() { record.alarm() } else { record };
        let who = Who { support_id: self.support_id.as_ref().map(ToString::to_string), ..Who::default() };
        if matches!(self.code, ErrorCode::UseDpopNonce | ErrorCode::UseFreshAttestation) {
            record.challenge().about(who)
        } else {
            record.about(Who { claimed_support_id: self.claimed_support_id.clone(), ..who })
        }
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Query(_) | StorageError::Migration(_) | StorageError::Unusable(_) => Self::internal(&error),
            // An outcome that is unknown is told as such by "try again": codes and requests are single use anyway.
            _ => {
                tracing::error!(cause = %error, "database not available");
                Why::DatabaseUnavailable.into()
            }
        }
    }
}

impl PageRefusal {
    /// A fault of ours. The cause goes to the log, here and nowhere else.
    pub fn internal(cause: &dyn Display) -> Self {
        tracing::error!(cause = %cause, "internal error");
        Self::Internal
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
            StorageError::Query(_) | StorageError::Migration(_) | StorageError::Unusable(_) => Self::Internal,
            _ => Self::Unavailable,
        }
    }
}

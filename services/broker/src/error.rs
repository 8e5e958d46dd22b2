//! What can go wrong in the broker, and the one table of what its caller and the operator are told.
//!
//! The distinction that matters with money: *certainly nothing happened* (refused, unavailable) against *not known*. An order that
//! may have arrived is never reported as failed; the caller repeats it with the same key and gets the truth.

use api::problem::code;
use runtime::extract::BodyError;
use runtime::{Problem, Refusal, Refuse, StatusCode, Who, header};
use storage::StorageError;
use thiserror::Error;

use crate::operations::gate::Closed;
use crate::providers::parameter::ParameterError;
use crate::secrets::VaultError;
use crate::webhooks::signature::WebhookRefusal;

/// Why a request was not done.
#[derive(Debug, Error)]
pub enum Error {
    /// A call of an operation.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// A webhook is not believed.
    #[error("the webhook is not believed: {0}")]
    WebhookRefusal(#[from] WebhookRefusal),
    /// A webhook came, and the secret to verify it with cannot be had.
    #[error(transparent)]
    NoSecret(VaultError),
    /// A believed webhook has the id of an earlier one, and says something else: the provider's fault, and never ours to act on.
    #[error("the event's id was used for another event")]
    EventIdReused,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What cannot happen has happened; nothing is done about it but to stop.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

/// Why an operation gave no result.
#[derive(Debug, Error)]
pub enum OperationError {
    /// No such operation, or not for this caller; the two look the same.
    #[error("no such operation")]
    Unknown,
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The operation has an effect and came without a key.
    #[error("idempotency_key is missing")]
    KeyMissing,
    /// The key is too long or has other characters than keys have.
    #[error("idempotency_key is not 1 to 128 letters, digits, -, _, . or :")]
    KeyInvalid,
    /// Breaker, bulkhead or quota. Nothing was sent.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The secret cannot be had. Nothing was sent.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The provider did not take the request, for a reason that is not in it. Nothing happened.
    #[error("the provider did not take the request: {0}")]
    NotTaken(String),
    /// The provider says no to this request. Nothing happened.
    #[error("the provider refused with status {0}")]
    Refused(u16),
    /// The provider gave no answer that can be used; the operation has no effect.
    #[error("no usable answer: {0}")]
    Failed(String),
    /// The same, but the operation has an effect and may have had it.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
}

impl OperationError {
    /// Whether another caller in a moment may be luckier, so that a stale cached answer is better than none.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Vault(_) | Self::NotTaken(_) | Self::Failed(_))
    }
}

impl Refuse for Error {
    fn refusal(self, _: &Who) -> Refusal {
        let webhook = |layer, reason, status| Refusal::new(layer, reason, Problem::new(status, code::WEBHOOK_REFUSED));
        match self {
            Self::Operation(error) => error.refusal(),
            Self::WebhookRefusal(why) => webhook("webhook_signature", why.reason(), StatusCode::UNAUTHORIZED),
            Self::NoSecret(error) => {
                tracing::error!(cause = %error, "the secret of a webhook cannot be had");
                match error {
                    // When the database is down the sender is told to come back.
                    VaultError::Storage(
                        StorageError::Busy(_) | StorageError::Held(_) | StorageError::Unavailable(_),
                    ) => Refusal::unrecorded(Problem::busy(1)),
                    // Without a secret nothing can be believed.
                    _ => webhook("webhook_signature", "secret_unavailable", StatusCode::UNAUTHORIZED),
                }
            }
            Self::EventIdReused => webhook("webhook_once", "event_id_reused", StatusCode::CONFLICT),
            Self::Body(error) => error.into(),
            Self::Storage(error) => error.into(),
            Self::Invariant(_) => Refusal::internal(&self),
        }
    }
}

impl OperationError {
    fn refusal(self) -> Refusal {
        match &self {
            Self::Unknown => {
                let problem = Problem::new(StatusCode::NOT_FOUND, code::OPERATION_UNKNOWN);
                Refusal::new("egress", "operation_not_allowed", problem)
            }
            Self::Parameter(wrong) => {
                let problem = Problem::new(StatusCode::BAD_REQUEST, code::PARAMETERS_INVALID);
                let problem = problem.detail(wrong.problem).field(format!("params.{}", wrong.field));
                Refusal::new("egress", "parameters_invalid", problem)
            }
            Self::KeyMissing => self.key("key_missing", code::KEY_MISSING),
            Self::KeyInvalid => self.key("key_invalid", code::KEY_INVALID),
            failed => {
                tracing::warn!(cause = %failed, "operation failed");
                Refusal::unrecorded(failed.failure())
            }
        }
    }

    fn key(&self, reason: &'static str, code: &'static str) -> Refusal {
        let problem = Problem::new(StatusCode::BAD_REQUEST, code);
        Refusal::new("egress", reason, problem.detail(self.to_string()).field("idempotency_key"))
    }

    /// What the caller is told where it did nothing wrong.
    fn failure(&self) -> Problem {
        let unavailable = |seconds: u32| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, code::UPSTREAM_UNAVAILABLE)
                .header(header::RETRY_AFTER, &seconds.to_string())
        };
        match self {
            Self::Closed(closed) => unavailable(closed.retry_after()),
            Self::Refused(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code::UPSTREAM_REFUSED),
            Self::Failed(_) => Problem::new(StatusCode::BAD_GATEWAY, code::UPSTREAM_FAILED),
            Self::OutcomeUnknown(_) => Problem::outcome_unknown(),
            _ => unavailable(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_is_never_called_a_failure() {
        let unknown = OperationError::OutcomeUnknown("timeout".to_owned()).failure();
        assert_eq!((unknown.status.as_u16(), unknown.code), (503, code::OUTCOME_UNKNOWN));
        let failed = OperationError::Failed("timeout".to_owned()).failure();
        assert_eq!((failed.status.as_u16(), failed.code), (502, code::UPSTREAM_FAILED));
    }

    #[test]
    fn causes_stay_inside() {
        let refusal = OperationError::NotTaken("10.0.0.7 refused".to_owned()).refusal();
        assert_eq!(refusal.problem().detail, None);
    }
}

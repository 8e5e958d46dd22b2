//! What can go wrong with a call of an operation, and what its caller learns of it.
//!
//! The distinction that matters with money: *certainly nothing happened* (refused, unavailable) against *not known*. An order that
//! may have arrived is never reported as failed; the caller repeats it with the same key and gets the truth.

use api::problem::code;
use runtime::{Problem, StatusCode, header};
use thiserror::Error;

use crate::operations::gate::Closed;
use crate::providers::parameter::ParameterError;
use crate::secrets::VaultError;

/// Why an operation gave no result.
#[derive(Debug, Error)]
pub enum OperationError {
    /// No such operation, or not for this caller; the two look the same.
    #[error("no such operation")]
    Unknown,
    /// A parameter.
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

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let unavailable = |seconds: u32| {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                code::UPSTREAM_UNAVAILABLE,
                "The third party cannot be asked just now",
            )
            .header(header::RETRY_AFTER, &seconds.to_string())
        };
        match &error {
            OperationError::Unknown => {
                return Self::new(StatusCode::NOT_FOUND, code::OPERATION_UNKNOWN, "There is no such operation");
            }
            OperationError::Parameter(wrong) => {
                let title = "The parameters do not fit the operation";
                return Self::new(StatusCode::BAD_REQUEST, code::PARAMETERS_INVALID, title)
                    .detail(wrong.problem)
                    .field(format!("params.{}", wrong.field));
            }
            OperationError::KeyMissing => return key(code::KEY_MISSING, &error),
            OperationError::KeyInvalid => return key(code::KEY_INVALID, &error),
            _ => (),
        }
        tracing::warn!(cause = %error, "operation failed");
        match &error {
            OperationError::Closed(closed) => unavailable(closed.retry_after()),
            OperationError::Refused(_) => {
                let title = "The third party refused the request";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::UPSTREAM_REFUSED, title)
            }
            OperationError::Failed(_) => {
                Self::new(StatusCode::BAD_GATEWAY, code::UPSTREAM_FAILED, "The third party did not answer as it should")
            }
            OperationError::OutcomeUnknown(_) => Self::outcome_unknown(),
            _ => unavailable(1),
        }
    }
}

fn key(code: &'static str, error: &OperationError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, "The request needs a valid idempotency key")
        .detail(error.to_string())
        .field("idempotency_key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_is_never_called_a_failure() {
        let unknown = Problem::from(OperationError::OutcomeUnknown("timeout".to_owned()));
        assert_eq!((unknown.status.as_u16(), unknown.code), (503, code::OUTCOME_UNKNOWN));
        let failed = Problem::from(OperationError::Failed("timeout".to_owned()));
        assert_eq!((failed.status.as_u16(), failed.code), (502, code::UPSTREAM_FAILED));
    }

    #[test]
    fn causes_stay_inside() {
        let problem = Problem::from(OperationError::NotTaken("10.0.0.7 refused".to_owned()));
        assert_eq!(problem.detail, None);
    }
}

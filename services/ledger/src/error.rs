//! What can go wrong in the ledger, and the one table of what its caller and the operator are told.

use api::approvals::ACR_PAYMENT;
use api::header::IDEMPOTENT_REPLAYED;
use api::problem::code;
use identity::sealed_field::FieldError;
use money::{Money, MoneyError};
use runtime::header::{HeaderName, WWW_AUTHENTICATE};
use runtime::{Problem, Refusal, Refuse, StatusCode, Who};
use storage::{Retry, StorageError};

use crate::posting::{Blame, Kind, Reason, Rejection, Unanswered};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The committer has no answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The rules of the ledger say no, now or under this key before.
    #[error("rejected: {}", .rejection.reason)]
    Rejected {
        rejection: Rejection,
        /// The kind of command.
        kind: Kind,
        /// It was said before.
        replayed: bool,
    },
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Not a positive amount of its currency.
    #[error("{field}: {cause}")]
    Amount {
        /// Where it stands in the request.
        field: &'static str,
        /// What is wrong with it.
        cause: AmountError,
    },
    /// A field is not what it should be.
    #[error("{field} {problem}")]
    Field {
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A field that travels sealed came otherwise. Nothing was looked up and nothing has happened.
    #[error("{field}: {cause}")]
    Sealed {
        field: &'static str,
        /// What is wrong with it, for the operator.
        cause: FieldError,
    },
    /// No such thing, or not for this caller.
    #[error("no such {0:?}")]
    Missing(Resource),
    /// The partner says of a payout what contradicts its earlier word. Nothing was booked.
    #[error("the partner contradicts its earlier word")]
    Contradiction,
    /// The payout is not held, or not any more. Nothing has happened.
    #[error("the payout is not held")]
    NotHeld,
    /// The item in suspense has another owner already.
    #[error("the item is allocated to another account")]
    Allocated,
    /// The owner has as many open payouts as one may have. There may be fewer later, so this is no outcome of the key.
    #[error("the owner has as many open payouts as one may have")]
    PayoutLimit,
    /// The payee is new: until then all payouts to it may not be more than this. It will not always be new, so this is no outcome of the key.
    #[error("the payee is new until {until}, and {cap} in all is the most")]
    PayeeIsNew {
        /// As it travels.
        until: String,
        /// How much in all.
        cap: Money,
    },
    /// The owner has a payee with this IBAN that is not removed. It may be later, so this is no outcome of the key.
    #[error("the owner has a payee with this IBAN")]
    PayeeExists,
    /// As many names of the owner's payees as may have turned out not to be those of their accounts. That is over in a day, so this is no outcome of the key.
    #[error("too many names of the owner's payees did not match")]
    PayeeCheckLimit,
    /// The owner has as many payees as one may have. There may be fewer later, so this is no outcome of the key.
    #[error("the owner has as many payees as one may have")]
    PayeeLimit,
    /// The owner has as many open accounts as one may have.
    #[error("the owner has as many open accounts as one may have")]
    AccountLimit,
    /// The payer has to approve the payment of this name first. Nothing has happened, and nothing is decided: the same key comes back with the approval.
    #[error("the payer has to approve {id}")]
    ApprovalRequired {
        id: api::Id,
        /// Whether it is for the instance being new: then only a second factor of before is worth anything.
        beyond_the_cap: bool,
        /// Until when it is, as it travels, if it is known since when it is there.
        new_until: Option<String>,
    },
    /// The instance is new: until then so much is not moved to others, unless a second factor that its user had before approves it. It will not always be new, so
    /// this is no outcome of the key.
    #[error("the instance is new until {until:?}, and {cap} in all is the most")]
    InstanceIsNew {
        /// As it travels; none, where nobody says since when it is there.
        until: Option<String>,
        /// How much in all.
        cap: Money,
    },
    /// What the caller shows is no approval of this payment. Nothing has happened.
    #[error("not approved: {0}")]
    NotApproved(&'static str),
    /// The owner has as many payments that wait for approval as one may have. There may be fewer later, so this is no outcome of the key.
    #[error("the owner has as many payments to approve as one may have")]
    ApprovalLimit,
    /// The broker could not say; nothing has happened.
    #[error("the broker gave no rates: {0}")]
    Broker(String),
    /// The broker's rates are not of a day that this house deals at; nothing has happened, and tomorrow it may.
    #[error("no exchange at the rates of {date}: {why}")]
    RateDate {
        /// Their day.
        date: chrono::NaiveDate,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What cannot happen has happened; nothing is done about it but to stop.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

/// What is wrong with an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] MoneyError),
    #[error("not more than zero")]
    NotPositive,
}

/// What a path can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Account,
    Transfer,
    Payout,
    Payee,
    /// A payment that waits for approval.
    Approval,
    /// Money in suspense.
    SuspenseItem,
    /// A customer, for the operator.
    Customer,
    /// A customer's stop.
    Stop,
}

impl Retry for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

impl Refuse for Error {
    /// What the rules say no to is no attack. But a user who reaches for what is not theirs is told that it does not exist, and stands in the
    /// audit log. To a peer nothing is hidden, so what it does not find is not there.
    fn refusal(self, caller: &Who) -> Refusal {
        let denied = self.access_denied().filter(|_| caller.subject.is_some());
        let (unsealed, step_up) = (self.not_sealed(), self.step_up());
        let challenged = matches!(self, Self::ApprovalRequired { .. });
        let problem = self.problem();
        match (denied, unsealed, step_up) {
            (Some(reason), ..) => Refusal::new("authorization", reason, problem),
            (_, Some(reason), _) => Refusal::new("sealed_field", reason, problem),
            (.., Some(reason)) if challenged => Refusal::new("step_up", reason, problem).challenge(),
            (.., Some(reason)) => Refusal::new("step_up", reason, problem),
            _ => Refusal::unrecorded(problem),
        }
    }
}

impl Error {
    fn problem(self) -> Problem {
        match self {
            Self::Storage(error) => error.into(),
            Self::Unanswered(Unanswered::Busy) => Problem::busy(1),
            Self::Unanswered(Unanswered::Unknown) => Problem::outcome_unknown(),
            Self::Unanswered(Unanswered::Fault | Unanswered::Ceiling(_)) | Self::Invariant(_) => {
                Problem::internal(&self)
            }
            Self::Rejected { rejection, kind, replayed } => {
                let problem = rejected(rejection, kind);
                if replayed { problem.header(HeaderName::from_static(IDEMPOTENT_REPLAYED), "true") } else { problem }
            }
            Self::KeyReused => unprocessable(code::KEY_REUSED).field("Idempotency-Key"),
            Self::Amount { field, cause } => amount_invalid(&cause.to_string(), field),
            Self::Field { field, problem } => Problem::invalid(format!("{field} {problem}")).field(field),
            Self::Sealed { field, cause } => sealed(cause).field(field),
            Self::Missing(resource) => missing(resource),
            Self::PayoutLimit => unprocessable(code::PAYOUT_LIMIT_REACHED),
            Self::PayeeIsNew { until, cap } => payee_is_new(&until, cap),
            Self::PayeeExists => unprocessable(code::PAYEE_EXISTS).field("iban"),
            Self::PayeeLimit => unprocessable(code::PAYEE_LIMIT_REACHED),
            Self::PayeeCheckLimit => unprocessable(code::PAYEE_CHECK_LIMIT_REACHED),
            Self::AccountLimit => unprocessable(code::ACCOUNT_LIMIT_REACHED),
            Self::RateDate { .. } => {
                tracing::error!(cause = %self, "the reference rates are unusable");
                Problem::busy(600)
            }
            Self::Allocated => unprocessable(code::ALREADY_ALLOCATED).field("account_id"),
            Self::Contradiction => Problem::new(StatusCode::CONFLICT, code::PAYOUT_CONTRADICTED),
            Self::NotHeld => Problem::new(StatusCode::CONFLICT, code::PAYOUT_NOT_HELD),
            Self::ApprovalRequired { id, new_until, .. } => approval_required(id, new_until),
            Self::InstanceIsNew { until, cap } => instance_is_new(until, cap),
            Self::NotApproved(_) => Problem::forbidden(),
            Self::ApprovalLimit => unprocessable(code::APPROVAL_LIMIT_REACHED),
            Self::Broker(cause) => {
                tracing::warn!(cause, "no rates from the broker");
                Problem::busy(2)
            }
        }
    }

    fn step_up(&self) -> Option<&'static str> {
        match self {
            Self::ApprovalRequired { beyond_the_cap: false, .. } => Some("approval_required"),
            Self::ApprovalRequired { .. } => Some("approval_required_of_new_instance"),
            Self::InstanceIsNew { .. } => Some("instance_is_new"),
            Self::NotApproved(reason) => Some(reason),
            Self::ApprovalLimit => Some("approval_limit"),
            _ => None,
        }
    }

    fn not_sealed(&self) -> Option<&'static str> {
        match self {
            Self::Sealed { cause, .. } => Some(cause.reason()),
            _ => None,
        }
    }

    fn access_denied(&self) -> Option<&'static str> {
        match self {
            Self::Missing(_) => Some("not_visible"),
            Self::Rejected { rejection, .. } => match rejection.reason {
                Reason::NotOwner => Some("not_owner"),
                Reason::NotFound => Some("not_found"),
                Reason::NoPayee => Some("no_payee"),
                Reason::NotOwnPayee => Some("not_own_payee"),
                Reason::PayeeRemoved => Some("payee_removed"),
                _ => None,
            },
            _ => None,
        }
    }
}

fn rejected(rejection: Rejection, kind: Kind) -> Problem {
    let account = match kind.rules().blames {
        // Not by anything that the caller could have known.
        Blame::House if rejection.reason == Reason::LimitExceeded => return unprocessable(code::LIMIT_EXCEEDED),
        Blame::House => return Problem::internal(&format_args!("a {kind} cannot be booked: {}", rejection.reason)),
        Blame::Field(field) => field,
        Blame::Accounts if rejection.leg == 0 => "from_account",
        Blame::Accounts => "to_account",
    };
    match rejection.reason {
        Reason::NoPayee | Reason::NotOwnPayee | Reason::PayeeRemoved => missing(Resource::Payee).field("payee_id"),
        Reason::NotFound | Reason::NotOwner => missing(Resource::Account).field(account),
        Reason::SameAccount => unprocessable(code::SAME_ACCOUNT).field(account),
        Reason::Stopped => Problem::new(StatusCode::FORBIDDEN, code::CUSTOMER_STOPPED),
        Reason::Closed => unprocessable(code::ACCOUNT_CLOSED).field(account),
        Reason::CurrencyMismatch => unprocessable(code::CURRENCY_MISMATCH).field(account),
        Reason::InsufficientFunds => unprocessable(code::INSUFFICIENT_FUNDS),
        Reason::LimitExceeded => unprocessable(code::LIMIT_EXCEEDED).field(account),
        Reason::NoRate => unprocessable(code::RATE_UNAVAILABLE),
        Reason::TooSmall => {
            amount_invalid("it buys less than the smallest unit of the other currency", "amount.amount")
        }
        Reason::Malformed => Problem::internal(&"a command was not a balanced set of legs"),
    }
}

/// Whoever sends it in the clear is told to seal it; of what is wrong with a sealed one nothing is said.
fn sealed(cause: FieldError) -> Problem {
    let code = match cause {
        FieldError::Plain => code::FIELD_SEALED_REQUIRED,
        FieldError::Sealed(_) | FieldError::Text => code::FIELD_SEALED_INVALID,
    };
    Problem::new(StatusCode::BAD_REQUEST, code)
}

/// RFC 9470 §3: who calls is known, and has to say yes to this very payment.
fn approval_required(id: api::Id, new_until: Option<String>) -> Problem {
    let how = format!(
        "DPoP error=\"insufficient_user_authentication\", error_description=\"The payer has to approve this payment\", acr_values=\"{ACR_PAYMENT}\""
    );
    Problem::new(StatusCode::UNAUTHORIZED, code::APPROVAL_REQUIRED)
        .header(WWW_AUTHENTICATE, &how)
        .approval(id)
        .new_until(new_until)
}

/// When there is no limit any more, and what it is until then: all of it is the caller's to know.
fn instance_is_new(until: Option<String>, cap: Money) -> Problem {
    let currency = cap.currency().code();
    // Default: no time is promised, where nobody knows one.
    let then = until.as_ref().map_or_else(String::new, |until| format!("until {until} "));
    let detail = format!(
        "{then}new phones of this user move at most {cap} {currency} to others, but for what is approved with a second factor that the user has had for as long"
    );
    unprocessable(code::INSTANCE_COOLING_OFF).detail(&detail).new_until(until)
}

fn amount_invalid(detail: &str, field: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code::AMOUNT_INVALID).detail(detail).field(field)
}

/// When there is no limit any more, and what it is until then: all of it is the caller's to know.
fn payee_is_new(until: &str, cap: Money) -> Problem {
    let currency = cap.currency().code();
    let detail = format!("until {until} all payouts to this payee together are at most {cap} {currency}");
    unprocessable(code::PAYEE_COOLING_OFF).detail(&detail).field("payee_id")
}

fn unprocessable(code: &'static str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code)
}

fn missing(resource: Resource) -> Problem {
    let code = match resource {
        Resource::Account => code::ACCOUNT_NOT_FOUND,
        Resource::Transfer => code::TRANSFER_NOT_FOUND,
        Resource::Payout => code::PAYOUT_NOT_FOUND,
        Resource::Payee => code::PAYEE_NOT_FOUND,
        Resource::Approval => code::APPROVAL_NOT_FOUND,
        Resource::SuspenseItem => code::SUSPENSE_ITEM_NOT_FOUND,
        Resource::Customer => code::CUSTOMER_NOT_FOUND,
        Resource::Stop => code::STOP_NOT_FOUND,
    };
    Problem::new(StatusCode::NOT_FOUND, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(reason: Reason, leg: i16) -> Problem {
        Error::Rejected { rejection: Rejection { reason, leg }, kind: Kind::Transfer, replayed: false }.problem()
    }

    #[test]
    fn somebody_elses_account_looks_like_no_account() {
        let (others, none) = (problem(Reason::NotOwner, 0), problem(Reason::NotFound, 0));
        assert_eq!(others.wire(), none.wire());
        assert_eq!((others.status.as_u16(), others.code), (404, code::ACCOUNT_NOT_FOUND));
    }

    #[test]
    fn what_may_have_happened_is_not_called_a_failure() {
        let unknown = Error::from(Unanswered::Unknown).problem();
        assert_eq!((unknown.status.as_u16(), unknown.code), (503, code::OUTCOME_UNKNOWN));
        assert!(unknown.headers.iter().any(|(name, _)| name == "retry-after"));
    }
}

//! What is certain about a payout. Pure.
//!
//! Certainty belongs to the order's history and not to its last attempt: an order that may have reached the partner may have reached it whatever
//! a later attempt is told, for that may be the answer to a repetition, or of something that stands in front of the partner's books. Then only the
//! partner's positive word ends the payout: it has the order, it has paid it, it has not and will not pay it.
//!
//! The database keeps the same rule (`payouts_guard`).

use api::internal::PayoutOutcome;

/// What one attempt to order came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// The partner has the order, under this id of its own.
    Taken(String),
    /// The partner refuses it, in the agreed words, and no part of this attempt may have ended otherwise.
    Refused(String),
    /// Certainly nothing of this attempt has reached the partner.
    NotSent(String),
    /// It may have.
    Unknown(String),
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// The partner has it.
    Submitted(String),
    /// It has not, and never will: the money goes back.
    Refused(String),
    /// No attempt so far can have reached the partner: as if it had not been tried.
    Untouched(String),
    /// It may have the order. Ask.
    Unsure(String),
}

/// What an attempt proves, by whether an earlier one may have reached the partner.
pub fn conclude(unsure_before: bool, submission: Submission) -> Conclusion {
    match submission {
        Submission::Taken(id) => Conclusion::Submitted(id),
        Submission::Refused(said) if !unsure_before => Conclusion::Refused(said),
        Submission::NotSent(said) if !unsure_before => Conclusion::Untouched(said),
        Submission::Refused(said) | Submission::NotSent(said) | Submission::Unknown(said) => Conclusion::Unsure(said),
    }
}

/// Where a payout stands in the books: the column `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Standing {
    /// The partner has not confirmed that it has the order.
    Pending,
    /// It has.
    Submitted,
    Paid,
    /// Given back.
    Failed,
    /// Settled, and come back.
    Returned,
}

/// One posting that a word of the partner asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Clearing → settlement.
    Settle,
    /// Clearing → the customer.
    GiveBack,
    /// Suspense → settlement: the partner has paid what the customer has got back. The house has lost it for now, and an alarm says so.
    PayLate,
    /// Settlement → the customer.
    Return,
    /// Settlement → suspense: what had been paid late is back.
    ReturnLate,
}

/// Whose word ends a payout: the column `word`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Word {
    /// The partner refused the order, and certainly has no other copy of it.
    Refusal,
    /// The partner's event.
    Event,
    /// The partner's answer to the question where the payout stands.
    Status,
    /// Its payer's, while it was held and nobody had begun to send it.
    Cancelled,
    /// An operator's in its payer's stead, before anybody had begun to send it.
    Withdrawn,
}

/// A word that contradicts what the partner has said before. Nothing is booked; an alarm stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction;

/// The next posting for the partner's word on a payout that stands so; `None` when the books say the same. After each one it is asked again:
/// money that came back had been paid first.
pub fn next_step(
    standing: Standing,
    paid_late: bool,
    returned: bool,
    word: PayoutOutcome,
) -> Result<Option<Step>, Contradiction> {
    use PayoutOutcome::{Failed, Paid, Returned};
    Ok(match (word, standing) {
        (Paid | Returned, Standing::Pending | Standing::Submitted) => Some(Step::Settle),
        (Paid | Returned, Standing::Failed) if !paid_late => Some(Step::PayLate),
        (Returned, Standing::Failed) if !returned => Some(Step::ReturnLate),
        (Returned, Standing::Paid) => Some(Step::Return),
        (Failed, Standing::Pending | Standing::Submitted) => Some(Step::GiveBack),
        // It had said "paid": giving the money back on this word would pay it twice, if the first word was the right one.
        (Failed, Standing::Paid) => return Err(Contradiction),
        // The books say so already.
        (_, Standing::Failed | Standing::Returned) | (Paid, Standing::Paid) => None,
    })
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;

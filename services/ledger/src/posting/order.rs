//! An order: a command with the sender's name for it, its texts, and what is written beside the posting.

use chrono::NaiveDate;
use money::{Decimal, Money};
use uuid::Uuid;

use super::model::{Command, Rejection, Word};

/// The name that a sender gave an intent. One key has one outcome, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Whose key: a subject, or the partner's name.
    pub owner: String,
    /// [`Kind::operation`].
    pub operation: &'static str,
    /// The key.
    pub key: String,
}

/// SHA-256 of what a request means: the same key with another meaning is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of these fields in this order; each is preceded by its length, so that no two lists of fields look the same.
    pub fn of(fields: &[&[u8]]) -> Self {
        let mut text = Vec::new();
        for field in fields {
            text.extend_from_slice(&(field.len() as u64).to_be_bytes());
            text.extend_from_slice(field);
        }
        Self(crypto::hash::sha256(&text))
    }
}

/// What is written beside the posting, in the same transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Extra {
    /// Nothing.
    Nothing,
    /// Nothing, and nothing is posted: the order was refused while its command was being made. What is left is to record that under
    /// its key, so that the refusal is as final as one of the fold.
    Refused(Rejection),
    /// The event that told of money that has arrived; kept with the money if it goes to suspense.
    Arrival {
        /// Whose event.
        provider: String,
        /// Its id.
        event_id: String,
    },
    /// Money in suspense goes to its owner.
    Allocation {
        /// The item.
        item: Uuid,
    },
    /// The quote of an exchange.
    Exchange {
        /// What the customer gets.
        bought: Money,
        /// Units of the bought currency for one of the sold.
        rate: Decimal,
        /// The day of the reference rates.
        rate_date: NaiveDate,
        /// Who published them.
        rate_source: &'static str,
    },
    /// A payout that is to be submitted.
    Payout {
        /// Who carries it out.
        provider: String,
        /// Who gets it.
        creditor_name: String,
        /// Without spaces.
        creditor_iban: String,
        /// W3C trace context of the request, continued when the order is submitted.
        traceparent: Option<String>,
    },
    /// The end of a payout.
    PayoutClosed {
        /// The payout.
        payout: Uuid,
        /// Paid, or failed.
        paid: bool,
        /// Whose word says so.
        word: Word,
        /// The provider; with the money if it goes to suspense.
        provider: String,
        /// The payout's id as text, likewise.
        event_id: String,
    },
    /// A paid payout that came back.
    PayoutReturned {
        /// The payout.
        payout: Uuid,
        /// The provider; with the money if it goes to suspense.
        provider: String,
        /// The payout's id as text, likewise.
        event_id: String,
    },
    /// A payout that was paid after it had been given back, and came back.
    PayoutReturnedLate {
        /// The payout.
        payout: Uuid,
    },
    /// A payout that was paid although it had been given back.
    PayoutPaidLate {
        /// The payout.
        payout: Uuid,
    },
}

impl Extra {
    /// The provider and the id of the event that told of money that has arrived.
    pub fn event(&self) -> Option<(&str, &str)> {
        match self {
            Self::Arrival { provider, event_id }
            | Self::PayoutClosed { provider, event_id, .. }
            | Self::PayoutReturned { provider, event_id, .. } => Some((provider, event_id)),
            Self::Nothing
            | Self::Refused(_)
            | Self::Allocation { .. }
            | Self::Exchange { .. }
            | Self::Payout { .. }
            | Self::PayoutReturnedLate { .. }
            | Self::PayoutPaidLate { .. } => None,
        }
    }
}

/// A command with its key and its texts: what the committer takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The sender's name for it.
    pub key: Key,
    /// What the request meant.
    pub fingerprint: Fingerprint,
    /// What is to happen.
    pub command: Command,
    /// Shown on statements.
    pub reference: String,
    /// Who is on the other side, when that is nobody in the house.
    pub counterparty: String,
    /// What else is written.
    pub extra: Extra,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_be_moved_across_their_borders() {
        assert_ne!(Fingerprint::of(&[b"ab", b"c"]), Fingerprint::of(&[b"a", b"bc"]));
        assert_ne!(Fingerprint::of(&[b"a", b""]), Fingerprint::of(&[b"a"]));
    }
}

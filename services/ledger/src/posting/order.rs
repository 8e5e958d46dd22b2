//! An order: a command with the sender's name for it, its texts, and what is written beside the posting.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::beside::Rows;
use super::model::{Broken, Command, Entry, Reason, Rejection};

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
#[derive(Debug, Clone)]
pub enum Extra {
    /// Nothing.
    Nothing,
    /// Nothing, and nothing is posted: the order was refused while its command was being made. What is left is to record that under
    /// its key, so that the refusal is as final as one of the fold.
    Refused(Rejection),
    /// Rows of whoever ordered it.
    Beside(Arc<dyn Beside>),
}

impl Extra {
    /// Rows of whoever ordered it.
    pub fn beside(rows: impl Beside + 'static) -> Self {
        Self::Beside(Arc::new(rows))
    }
}

/// What a client of the engine writes beside a posting.
pub trait Beside: fmt::Debug + Send + Sync {
    /// Adds the rows that go with the posting.
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken>;

    /// Adds the row that says why the money went to suspense. Only who knows the event that told of it can.
    fn suspended(&self, _posting: &Posting<'_>, _why: Reason, _rows: &mut Rows) -> Result<(), Broken> {
        Err(NO_EVENT)
    }

    /// The word for having as many of these as one may have, if this constraint of the database says so.
    fn ceiling(&self, _constraint: &str) -> Option<&'static str> {
        None
    }
}

const NO_EVENT: Broken = Broken("money for suspense without the event that told of it");

/// A command with its key and its texts: what the committer takes.
#[derive(Debug, Clone)]
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

/// An order whose money has moved.
#[derive(Debug)]
pub struct Posting<'a> {
    /// What was ordered.
    pub order: &'a Order,
    /// The transfer's id.
    pub id: Uuid,
    /// Its lines.
    pub entries: Vec<Entry>,
    /// Why the money went to suspense and not where the order says.
    pub suspended: Option<Reason>,
}

impl Posting<'_> {
    /// Adds what its client writes beside it.
    pub(super) fn add_rows(&self, rows: &mut Rows) -> Result<(), Broken> {
        let Extra::Beside(client) = &self.order.extra else {
            return if self.suspended.is_none() { Ok(()) } else { Err(NO_EVENT) };
        };
        client.rows(self, rows)?;
        self.suspended.map_or(Ok(()), |why| client.suspended(self, why, rows))
    }
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

//! Orders, and what a set of them does to the accounts that were locked for it: which are repetitions, the outcome of each of the others, and
//! what is to be written. Pure; [`super::store`] does the reading before and the writing after.
//!
//! What holds: of the orders with one key exactly one is decided, ever; a repetition gets that outcome, and a key that
//! returns with another request gets nothing but the news that it does. A refusal is an outcome for customers only: what is
//! refused to the house is about money that is somewhere already, so it is judged anew.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Builder;

use super::beside::Rows;
use super::fold::{Accounts, book};
use super::model::{Actor, Booked, Broken, Command, Entry, Kind, Outcome, Posted, Reason, Rejection};
use crate::ids::{AccountId, IdempotencyKey, Owner, TransferId};

/// The word for an order that is on the books under its own name already, though not under its key: it was found at its partner (ADR 0045).
pub const ON_THE_BOOKS: &str = "payout_found";

/// What a key stands for. It has one outcome, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    owner: Owner,
    /// [`Kind::operation`].
    operation: &'static str,
    key: IdempotencyKey,
}

impl Intent {
    /// As it was stored. `None` if no kind of this version has such an operation.
    pub(super) fn stored(owner: Owner, operation: &str, key: IdempotencyKey) -> Option<Self> {
        Some(Self { owner, operation: Kind::operation_from_text(operation)?, key })
    }
}

/// SHA-256 of what a request means: the same key with another meaning is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of these fields in this order; each is preceded by its length, so that no two lists of fields look the same.
    pub fn of(fields: &[&[u8]]) -> Self {
        Self(crypto::hash::sha256(&crypto::hash::length_prefixed(fields.iter().copied())))
    }

    /// As the bytes of an id of what has this meaning: RFC 9562 §5.8 (version 8), of its first bytes.
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.iter_mut().zip(self.0).for_each(|(byte, first)| *byte = first);
        Builder::from_custom_bytes(id).into_uuid().into_bytes()
    }
}

/// What is written beside the posting, in the same transaction.
#[derive(Debug, Clone)]
pub enum Extra {
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

    /// These rows too. What is refused already writes none.
    #[must_use]
    pub fn and(self, more: impl Beside + 'static) -> Self {
        match self {
            Self::Nothing => Self::beside(more),
            Self::Refused(rejection) => Self::Refused(rejection),
            Self::Beside(rows) => Self::beside(Both(rows, more)),
        }
    }
}

/// What two clients write beside one posting.
#[derive(Debug)]
struct Both<B>(Arc<dyn Beside>, B);

impl<B: Beside> Beside for Both<B> {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        self.0.rows(posting, rows)?;
        self.1.rows(posting, rows)
    }

    fn suspended(&self, posting: &Posting<'_>, why: Reason, rows: &mut Rows) -> Result<(), Broken> {
        self.0.suspended(posting, why, rows)
    }

    fn id(&self) -> Option<TransferId> {
        self.0.id().or_else(|| self.1.id())
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        self.0.ceiling(constraint).or_else(|| self.1.ceiling(constraint))
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

    /// What the posting is to be called, if it has a name already.
    fn id(&self) -> Option<TransferId> {
        None
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
    pub owner: Owner,
    /// The owner's name for it.
    pub key: IdempotencyKey,
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

impl Order {
    /// The namespace of its key, which is its command's.
    pub const fn operation(&self) -> &'static str {
        self.command.kind.operation()
    }

    /// The id of what is posted, where that is not made by chance. A payout's says whose order it is, under which key and with which content: the
    /// partner knows the order by it, so the same order is the same one there, even if these books have forgotten it in between (ADR 0045).
    /// No secret goes into it, which could be lost or replaced; whoever could guess it knows the account's id and the payee's.
    pub fn id(&self) -> Option<TransferId> {
        if self.command.kind == Kind::Payout {
            let fields = [b"payout", self.owner.as_str().as_bytes(), self.key.as_str().as_bytes(), &self.fingerprint.0];
            return Some(TransferId::from_bytes(Fingerprint::of(&fields).id()));
        }
        match &self.extra {
            Extra::Beside(client) => client.id(),
            Extra::Nothing | Extra::Refused(_) => None,
        }
    }

    /// What its key stands for.
    pub fn intent(&self) -> Intent {
        Intent { owner: self.owner.clone(), operation: self.operation(), key: self.key.clone() }
    }
}

/// An order whose money has moved.
#[derive(Debug)]
pub struct Posting<'a> {
    pub order: &'a Order,
    pub id: TransferId,
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

/// The answer to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<O = Outcome> {
    /// Decided by this order.
    Decided(O),
    /// Decided before, under the same key.
    Replayed(O),
    /// The key was used for another request.
    KeyReused,
}

/// What became of an order in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate<O = Outcome> {
    /// It has its answer.
    Answered(Answer<O>),
    /// Nothing: somebody else holds this account.
    Waits(AccountId),
}

/// What the database gave to the postings of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The number before that of the first.
    pub base: i64,
    /// When they were posted.
    pub at: DateTime<Utc>,
}

/// A key's outcome as it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// What the request meant.
    pub fingerprint: Fingerprint,
    /// What became of it.
    pub outcome: Outcome,
}

/// What is to be written, and what is to be said once it is.
#[derive(Default)]
pub struct Plan<'a> {
    /// In the order in which they are numbered.
    pub postings: Vec<Posting<'a>>,
    /// Refusals to customers, to be kept.
    pub rejections: Vec<(&'a Order, Rejection)>,
    /// What goes with the postings.
    pub beside: Rows,
    fates: Vec<Fate<Unnumbered>>,
}

/// An outcome that may lack its number.
#[derive(Debug, Clone, Copy)]
enum Unnumbered {
    /// `place` counts the postings of the batch, from 1.
    Posted { id: TransferId, place: i64 },
    /// It lacks none.
    Known(Outcome),
}

impl<'a> Plan<'a> {
    /// Decides `orders` in their order. `recorded` has the outcomes of keys that were used before; what needs one of the `held` accounts is
    /// not decided (and a key that was used before needs none); `ids` makes ids.
    pub fn make(
        orders: &'a [Order],
        state: &mut Accounts,
        recorded: &HashMap<Intent, Recorded>,
        held: &HashSet<AccountId>,
        mut ids: impl FnMut() -> TransferId,
    ) -> Result<Self, Broken> {
        let mut plan = Self { fates: Vec::with_capacity(orders.len()), ..Self::default() };
        let mut first: HashMap<Intent, (Fingerprint, Unnumbered)> = HashMap::with_capacity(orders.len());
        for order in orders {
            let intent = order.intent();
            let before = recorded.get(&intent).map(|known| (known.fingerprint, Unnumbered::Known(known.outcome)));
            let fate = if let Some((fingerprint, outcome)) = before.or_else(|| first.get(&intent).copied()) {
                let same = fingerprint == order.fingerprint;
                Fate::Answered(if same { Answer::Replayed(outcome) } else { Answer::KeyReused })
            } else if let Some(account) = held_by_others(order, held) {
                Fate::Waits(account)
            } else {
                let outcome = plan.decide(order, state, &mut ids)?;
                let refused = matches!(outcome, Unnumbered::Known(_));
                // A refusal to the house is not kept: the next order with this key is judged by itself.
                if !refused || order.command.actor != Actor::House {
                    first.insert(intent, (order.fingerprint, outcome));
                }
                Fate::Answered(Answer::Decided(outcome))
            };
            plan.fates.push(fate);
        }
        Ok(plan)
    }

    /// Decides one order, and notes what is to be written of it.
    fn decide(
        &mut self,
        order: &'a Order,
        state: &mut Accounts,
        ids: &mut impl FnMut() -> TransferId,
    ) -> Result<Unnumbered, Broken> {
        let outcome = match order.extra {
            Extra::Refused(rejection) => Outcome::Rejected(rejection),
            _ => book(state, &order.command)?,
        };
        match outcome {
            Outcome::Rejected(rejection) => {
                if order.command.actor != Actor::House {
                    self.rejections.push((order, rejection));
                }
                Ok(Unnumbered::Known(Outcome::Rejected(rejection)))
            }
            Outcome::Posted(Booked { entries, suspended }) => {
                // Default: nobody has to find it by its content.
                let id = order.id().unwrap_or_else(&mut *ids);
                let posting = Posting { order, id, entries, suspended };
                posting.add_rows(&mut self.beside)?;
                self.postings.push(posting);
                let place = i64::try_from(self.postings.len()).map_err(|_| Broken("no number is left"))?;
                Ok(Unnumbered::Posted { id, place })
            }
        }
    }

    /// What becomes of the orders, in their order, once the postings are numbered so and committed. Without postings there is no number.
    pub fn fates(&self, numbered: Option<Numbered>) -> Result<Vec<Fate>, Broken> {
        let number = |fate: &Fate<Unnumbered>| {
            Ok(match fate {
                Fate::Answered(Answer::Decided(outcome)) => Fate::Answered(Answer::Decided(outcome.number(numbered)?)),
                Fate::Answered(Answer::Replayed(outcome)) => {
                    Fate::Answered(Answer::Replayed(outcome.number(numbered)?))
                }
                Fate::Answered(Answer::KeyReused) => Fate::Answered(Answer::KeyReused),
                Fate::Waits(account) => Fate::Waits(*account),
            })
        };
        self.fates.iter().map(number).collect()
    }
}

impl Unnumbered {
    fn number(self, numbered: Option<Numbered>) -> Result<Outcome, Broken> {
        match self {
            Self::Known(outcome) => Ok(outcome),
            Self::Posted { id, place } => {
                let Numbered { base, at } = numbered.ok_or(Broken("postings without numbers"))?;
                let sequence = base.checked_add(place).ok_or(Broken("no number is left"))?;
                Ok(Outcome::Posted(Posted { id, sequence, at }))
            }
        }
    }
}

/// The first account of the order that somebody else holds. While nobody holds any, this is one look at a number.
fn held_by_others(order: &Order, held: &HashSet<AccountId>) -> Option<AccountId> {
    if held.is_empty() {
        return None;
    }
    order.command.accounts().find(|account| held.contains(account))
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;

//! Orders, and what a set of them does to the accounts that were locked for it: which are repetitions, the verdict on each of the others, and
//! what is to be written. Pure; [`super::store`] does the reading before and the writing after.
//!
//! What holds: of the orders with one key exactly one is decided, ever; a repetition gets that outcome, and a key that
//! returns with another request gets nothing but the news that it does. A refusal is an outcome for customers only: what is
//! refused to the house is about money that is somewhere already, so it is judged anew.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::beside::Rows;
use super::fold::{State, book};
use super::model::{Actor, Broken, Command, Entry, Kind, Reason, Rejection, Verdict};
use crate::ids::{AccountId, IdempotencyKey, Owner, TransferId};

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
    /// Whose it is.
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

    /// What its key stands for.
    pub fn intent(&self) -> Intent {
        Intent { owner: self.owner.clone(), operation: self.operation(), key: self.key.clone() }
    }
}

/// An order whose money has moved.
#[derive(Debug)]
pub struct Posting<'a> {
    /// What was ordered.
    pub order: &'a Order,
    pub id: TransferId,
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

/// A posting as its sender learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    pub id: TransferId,
    /// Its position in the ledger.
    pub sequence: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// What became of an order. It never changes again, but for a refusal to the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The money has moved.
    Posted(Posted),
    /// It has not and, under this key of a customer, never will.
    Rejected(Rejection),
}

/// The answer to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Decided by this order.
    Decided(Outcome),
    /// Decided before, under the same key.
    Replayed(Outcome),
    /// The key was used for another request.
    KeyReused,
}

/// What became of an order in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has its answer.
    Answered(Answer),
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
    replies: Vec<Reply>,
}

/// An answer that lacks nothing but the number.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Decided(Decision),
    Replayed(Decision),
    KeyReused,
    /// Not decided: this account is held.
    Waits(AccountId),
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    /// `place` counts the postings of the batch, from 1.
    Posted { id: TransferId, place: i64 },
    /// Nothing that needs a number.
    Known(Outcome),
}

impl<'a> Plan<'a> {
    /// Decides `orders` in their order. `recorded` has the outcomes of keys that were used before; what needs one of the `held` accounts is
    /// not decided (and a key that was used before needs none); `ids` makes ids.
    pub fn make(
        orders: &'a [Order],
        state: &mut State,
        recorded: &HashMap<Intent, Recorded>,
        held: &HashSet<AccountId>,
        mut ids: impl FnMut() -> TransferId,
    ) -> Result<Self, Broken> {
        let mut plan = Self { replies: Vec::with_capacity(orders.len()), ..Self::default() };
        let mut first: HashMap<Intent, (Fingerprint, Decision)> = HashMap::with_capacity(orders.len());
        for order in orders {
            let intent = order.intent();
            let before = recorded.get(&intent).map(|known| (known.fingerprint, Decision::Known(known.outcome)));
            let reply = if let Some((fingerprint, decision)) = before.or_else(|| first.get(&intent).copied()) {
                if fingerprint == order.fingerprint { Reply::Replayed(decision) } else { Reply::KeyReused }
            } else if let Some(account) = held_by_others(order, held) {
                Reply::Waits(account)
            } else {
                let decision = plan.decide(order, state, &mut ids)?;
                let refused = matches!(decision, Decision::Known(_));
                // A refusal to the house is not kept: the next order with this key is judged by itself.
                if !refused || order.command.actor != Actor::House {
                    first.insert(intent, (order.fingerprint, decision));
                }
                Reply::Decided(decision)
            };
            plan.replies.push(reply);
        }
        Ok(plan)
    }

    /// Decides one order, and notes what is to be written of it.
    fn decide(
        &mut self,
        order: &'a Order,
        state: &mut State,
        ids: &mut impl FnMut() -> TransferId,
    ) -> Result<Decision, Broken> {
        match verdict(state, order)? {
            (Verdict::Rejected(rejection), _) => {
                if order.command.actor != Actor::House {
                    self.rejections.push((order, rejection));
                }
                Ok(Decision::Known(Outcome::Rejected(rejection)))
            }
            (Verdict::Posted(entries), suspended) => {
                let id = ids();
                let posting = Posting { order, id, entries, suspended };
                posting.add_rows(&mut self.beside)?;
                self.postings.push(posting);
                let place = i64::try_from(self.postings.len()).map_err(|_| Broken("no number is left"))?;
                Ok(Decision::Posted { id, place })
            }
        }
    }

    /// What becomes of the orders, in their order, once the postings are numbered so and committed. Without postings there is no number.
    pub fn fates(&self, numbered: Option<Numbered>) -> Result<Vec<Fate>, Broken> {
        let fate = |reply: &Reply| {
            Ok(match reply {
                Reply::Decided(decision) => Fate::Answered(Answer::Decided(decision.outcome(numbered)?)),
                Reply::Replayed(decision) => Fate::Answered(Answer::Replayed(decision.outcome(numbered)?)),
                Reply::KeyReused => Fate::Answered(Answer::KeyReused),
                Reply::Waits(account) => Fate::Waits(*account),
            })
        };
        self.replies.iter().map(fate).collect()
    }
}

impl Decision {
    fn outcome(self, numbered: Option<Numbered>) -> Result<Outcome, Broken> {
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

/// The verdict, and why the money went to suspense, if it did.
fn verdict(state: &mut State, order: &Order) -> Result<(Verdict, Option<Reason>), Broken> {
    match order.extra {
        Extra::Refused(rejection) => Ok((Verdict::Rejected(rejection), None)),
        _ => book(state, &order.command),
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;

//! What a set of orders does to the accounts that were locked for it: which are repetitions, the verdict on each of the
//! others, and the rows to write. Pure; [`super::store`] does the reading before and the writing after.
//!
//! What holds: of the orders with one key exactly one is decided, ever; a repetition gets that outcome, and a key that
//! returns with another request gets nothing but the news that it does. A refusal is an outcome for customers only: what is
//! refused to the house is about money that is somewhere already, so it is judged anew.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::beside::Rows;
use super::fold::{State, book};
use super::model::{Actor, Broken, Reason, Rejection, Verdict};
use super::order::{Extra, Fingerprint, Key, Order, Posting};

/// A posting as its sender learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The transfer's id.
    pub id: Uuid,
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
    Waits(Uuid),
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
    Waits(Uuid),
}

#[derive(Debug, Clone, Copy)]
enum Decision {
    /// `place` counts the postings of the batch, from 1.
    Posted { id: Uuid, place: i64 },
    /// Nothing that needs a number.
    Known(Outcome),
}

impl<'a> Plan<'a> {
    /// Decides `orders` in their order. `recorded` has the outcomes of keys that were used before; what needs one of the `held` accounts is
    /// not decided (and a key that was used before needs none); `ids` makes ids.
    pub fn make(
        orders: &'a [Order],
        state: &mut State,
        recorded: &HashMap<Key, Recorded>,
        held: &HashSet<Uuid>,
        mut ids: impl FnMut() -> Uuid,
    ) -> Result<Self, Broken> {
        let mut plan = Self { replies: Vec::with_capacity(orders.len()), ..Self::default() };
        let mut first: HashMap<&Key, (Fingerprint, Decision)> = HashMap::with_capacity(orders.len());
        for order in orders {
            let before = recorded.get(&order.key).map(|known| (known.fingerprint, Decision::Known(known.outcome)));
            let reply = if let Some((fingerprint, decision)) = before.or_else(|| first.get(&order.key).copied()) {
                if fingerprint == order.fingerprint { Reply::Replayed(decision) } else { Reply::KeyReused }
            } else if let Some(account) = held_by_others(order, held) {
                Reply::Waits(account)
            } else {
                let decision = plan.decide(order, state, &mut ids)?;
                let refused = matches!(decision, Decision::Known(_));
                // A refusal to the house is not kept: the next order with this key is judged by itself.
                if !refused || order.command.actor != Actor::House {
                    first.insert(&order.key, (order.fingerprint, decision));
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
        ids: &mut impl FnMut() -> Uuid,
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
fn held_by_others(order: &Order, held: &HashSet<Uuid>) -> Option<Uuid> {
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
mod tests {
    use money::{Currency, Money};

    use super::*;
    use crate::posting::model::{Account, Actor, Command, Kind, Purpose, Reason};

    fn account(number: u128, balance: i64) -> Account {
        Account {
            id: Uuid::from_u128(number),
            owner: Some("alice".to_owned()),
            purpose: Purpose::Customer,
            balance: Money::new(balance, Currency::EUR),
            floor: 0,
            version: 0,
            closed: false,
        }
    }

    fn order(key: &str, minor: i64) -> Order {
        let (from, to) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let actor = Actor::Customer("alice".to_owned());
        let amount = Money::new(minor, Currency::EUR);
        Order {
            key: Key { owner: "alice".to_owned(), operation: "transfer", key: key.to_owned() },
            fingerprint: Fingerprint::of(&[&minor.to_be_bytes()]),
            command: Command::between(Kind::Transfer, actor, from, to, amount).unwrap(),
            reference: String::new(),
            counterparty: String::new(),
            extra: Extra::Nothing,
        }
    }

    const NUMBERED: Numbered = Numbered { base: 7, at: DateTime::UNIX_EPOCH };

    fn plan<'a>(orders: &'a [Order], recorded: &HashMap<Key, Recorded>, held: &[u128]) -> Plan<'a> {
        let mut state = State::new([account(1, 100), account(2, 0)]);
        let mut next = 100;
        let held = held.iter().map(|number| Uuid::from_u128(*number)).collect();
        Plan::make(orders, &mut state, recorded, &held, || {
            next += 1;
            Uuid::from_u128(next)
        })
        .unwrap()
    }

    fn decide<'a>(orders: &'a [Order], recorded: &HashMap<Key, Recorded>) -> (Plan<'a>, Vec<Answer>) {
        let plan = plan(orders, recorded, &[]);
        let answer = |fate| match fate {
            Fate::Answered(answer) => answer,
            Fate::Waits(account) => panic!("{account}"),
        };
        let answers = plan.fates(Some(NUMBERED)).unwrap().into_iter().map(answer).collect();
        (plan, answers)
    }

    fn posted(id: u128, sequence: i64) -> Outcome {
        Outcome::Posted(Posted { id: Uuid::from_u128(id), sequence, at: DateTime::UNIX_EPOCH })
    }

    #[test]
    fn postings_are_numbered_without_a_gap_past_rejections() {
        let orders = [order("a", 60), order("b", 60), order("c", 40)];
        let (plan, answers) = decide(&orders, &HashMap::new());
        let refused = Outcome::Rejected(Rejection { reason: Reason::InsufficientFunds, leg: 0 });
        let expected = [posted(101, 8), refused, posted(102, 9)].map(Answer::Decided);
        assert_eq!(answers, expected);
        assert_eq!((plan.postings.len(), plan.rejections.len()), (2, 1));
    }

    #[test]
    fn a_key_twice_in_one_batch_has_one_effect_and_one_answer() {
        let orders = [order("a", 60), order("a", 60), order("a", 61)];
        let (plan, answers) = decide(&orders, &HashMap::new());
        assert_eq!(answers, [Answer::Decided(posted(101, 8)), Answer::Replayed(posted(101, 8)), Answer::KeyReused]);
        assert_eq!(plan.postings.len(), 1);
    }

    #[test]
    fn a_rejection_is_as_final_as_a_posting() {
        let orders = [order("a", 101), order("a", 101)];
        let (plan, answers) = decide(&orders, &HashMap::new());
        let refused = Outcome::Rejected(Rejection { reason: Reason::InsufficientFunds, leg: 0 });
        assert_eq!(answers, [Answer::Decided(refused), Answer::Replayed(refused)]);
        assert_eq!(plan.rejections.len(), 1);
    }

    #[test]
    fn an_order_that_was_refused_before_it_came_here_is_recorded_and_moves_nothing() {
        let rejection = Rejection { reason: Reason::NoRate, leg: 0 };
        let refused = Order { extra: Extra::Refused(rejection), ..order("a", 60) };
        let orders = [refused.clone(), order("a", 60), refused];
        let (plan, answers) = decide(&orders, &HashMap::new());
        let outcome = Outcome::Rejected(rejection);
        assert_eq!(answers, [Answer::Decided(outcome), Answer::Replayed(outcome), Answer::Replayed(outcome)]);
        assert!(plan.postings.is_empty());
        let [(order, kept)] = plan.rejections.as_slice() else { panic!("{:?}", plan.rejections) };
        assert_eq!((&order.key, *kept), (&orders[0].key, rejection));
    }

    #[test]
    fn a_refusal_to_the_house_is_not_kept_and_spoils_no_later_order() {
        let house = |minor| {
            let amount = Money::new(minor, Currency::EUR);
            let (from, to) = (Uuid::from_u128(1), Uuid::from_u128(2));
            let command = Command::between(Kind::Transfer, Actor::House, from, to, amount).unwrap();
            Order { command, ..order("a", minor) }
        };
        let orders = [house(5), house(6), order("a", 60)];
        let (plan, answers) = decide(&orders, &HashMap::new());
        let refused = Outcome::Rejected(Rejection { reason: Reason::NotOwner, leg: 0 });
        assert_eq!(answers, [refused, refused, posted(101, 8)].map(Answer::Decided));
        assert!(plan.rejections.is_empty());
    }

    #[test]
    fn what_was_recorded_before_is_answered_and_not_decided_again() {
        let known = order("a", 60);
        let recorded = Recorded { fingerprint: known.fingerprint, outcome: posted(5, 1) };
        let recorded = HashMap::from([(known.key.clone(), recorded)]);
        let orders = [order("a", 60), order("a", 1)];
        let (plan, answers) = decide(&orders, &recorded);
        assert_eq!(answers, [Answer::Replayed(posted(5, 1)), Answer::KeyReused]);
        assert!(plan.postings.is_empty() && plan.rejections.is_empty());
    }

    #[test]
    fn what_needs_a_held_account_waits_and_is_neither_posted_nor_refused() {
        let known = order("known", 60);
        let recorded = Recorded { fingerprint: known.fingerprint, outcome: posted(5, 1) };
        let recorded = HashMap::from([(known.key.clone(), recorded)]);
        let orders = [order("a", 60), known, order("a", 60)];
        let plan = plan(&orders, &recorded, &[2, 9]);
        let waits = Fate::Waits(Uuid::from_u128(2));
        let replayed = Fate::Answered(Answer::Replayed(posted(5, 1)));
        assert_eq!(plan.fates(None), Ok(vec![waits, replayed, waits]));
        assert!(plan.postings.is_empty() && plan.rejections.is_empty());
    }

    #[test]
    fn a_posting_without_a_number_is_a_fault_and_not_an_answer() {
        let orders = [order("a", 60)];
        assert!(plan(&orders, &HashMap::new(), &[]).fates(None).is_err());
    }
}

//! What a set of orders does to the accounts that were locked for it: which are repetitions, the verdict on each of the
//! others, and the rows to write. Pure; [`super::store`] does the reading before and the writing after.
//!
//! What holds: of the orders with one key exactly one is decided, ever; a repetition gets that outcome, and a key that
//! returns with another request gets nothing but the news that it does. A refusal is an outcome for customers only: what is
//! refused to the house is about money that is somewhere already, so it is judged anew.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::arrival::book;
use super::fold::State;
use super::model::{Actor, Entry, Extra, Fingerprint, Key, Order, Reason, Rejection, Verdict};

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

/// A key's outcome as it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// What the request meant.
    pub fingerprint: Fingerprint,
    /// What became of it.
    pub outcome: Outcome,
}

/// One transfer to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Index of its order.
    pub order: usize,
    /// Its id.
    pub id: Uuid,
    /// Its lines.
    pub entries: Vec<Entry>,
    /// Why the money went to suspense and not where the order says.
    pub suspended: Option<Reason>,
}

/// What is to be written, and what is to be said once it is.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order in which they are numbered.
    pub postings: Vec<Posting>,
    /// Index of the order, and why: refusals to customers, to be kept.
    pub rejections: Vec<(usize, Rejection)>,
    replies: Vec<Reply>,
}

#[derive(Debug, Clone, Copy)]
enum Reply {
    /// The posting of this index.
    Posted(usize),
    Rejected(Rejection),
    Recorded(Recorded),
    /// The same as the order of this index, which comes earlier.
    Same(usize),
}

impl Plan {
    /// Decides `orders` in their order. `recorded` has the outcomes of keys that were used before; `ids` makes ids.
    pub fn make(
        orders: &[Order],
        state: &mut State,
        recorded: &HashMap<Key, Recorded>,
        mut ids: impl FnMut() -> Uuid,
    ) -> Self {
        let mut plan = Self::default();
        let mut first: HashMap<&Key, usize> = HashMap::with_capacity(orders.len());
        for (index, order) in orders.iter().enumerate() {
            let reply = if let Some(recorded) = recorded.get(&order.key) {
                Reply::Recorded(*recorded)
            } else if let Some(earlier) = first.get(&order.key) {
                Reply::Same(*earlier)
            } else {
                match verdict(state, order) {
                    // Nothing is kept: the next order with this key is judged by itself.
                    (Verdict::Rejected(rejection), _) if order.command.actor == Actor::House => {
                        Reply::Rejected(rejection)
                    }
                    (Verdict::Rejected(rejection), _) => {
                        first.insert(&order.key, index);
                        plan.rejections.push((index, rejection));
                        Reply::Rejected(rejection)
                    }
                    (Verdict::Posted(entries), suspended) => {
                        first.insert(&order.key, index);
                        plan.postings.push(Posting { order: index, id: ids(), entries, suspended });
                        Reply::Posted(plan.postings.len() - 1)
                    }
                }
            };
            plan.replies.push(reply);
        }
        plan
    }

    /// The answers, in the order of the orders, once the postings are numbered from `base + 1` and committed.
    pub fn answers(&self, orders: &[Order], base: i64, at: DateTime<Utc>) -> Vec<Answer> {
        let outcome = |reply: &Reply| match reply {
            Reply::Posted(index) => {
                let id = self.postings.get(*index).map_or(Uuid::nil(), |posting| posting.id);
                Some(Outcome::Posted(Posted { id, sequence: base + 1 + i64::try_from(*index).unwrap_or(0), at }))
            }
            Reply::Rejected(rejection) => Some(Outcome::Rejected(*rejection)),
            Reply::Recorded(_) | Reply::Same(_) => None,
        };
        let answer = |(reply, order): (&Reply, &Order)| {
            let (fingerprint, recorded) = match reply {
                Reply::Recorded(recorded) => (recorded.fingerprint, Some(recorded.outcome)),
                Reply::Same(earlier) => {
                    let fingerprint = orders.get(*earlier).map_or(order.fingerprint, |earlier| earlier.fingerprint);
                    (fingerprint, self.replies.get(*earlier).and_then(outcome))
                }
                decided => return outcome(decided).map_or(Answer::KeyReused, Answer::Decided),
            };
            match recorded {
                Some(outcome) if fingerprint == order.fingerprint => Answer::Replayed(outcome),
                _ => Answer::KeyReused,
            }
        };
        self.replies.iter().zip(orders).map(answer).collect()
    }
}

/// The verdict, and why the money went to suspense, if it did.
fn verdict(state: &mut State, order: &Order) -> (Verdict, Option<Reason>) {
    match order.extra {
        Extra::Refused(rejection) => (Verdict::Rejected(rejection), None),
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

    fn decide(orders: &[Order], recorded: &HashMap<Key, Recorded>) -> (Plan, Vec<Answer>) {
        let mut state = State::new([account(1, 100), account(2, 0)]);
        let mut next = 100;
        let plan = Plan::make(orders, &mut state, recorded, || {
            next += 1;
            Uuid::from_u128(next)
        });
        let answers = plan.answers(orders, 7, DateTime::UNIX_EPOCH);
        (plan, answers)
    }

    fn posted(id: u128, sequence: i64) -> Outcome {
        Outcome::Posted(Posted { id: Uuid::from_u128(id), sequence, at: DateTime::UNIX_EPOCH })
    }

    #[test]
    fn postings_are_numbered_without_a_gap_past_rejections() {
        let (plan, answers) = decide(&[order("a", 60), order("b", 60), order("c", 40)], &HashMap::new());
        let refused = Outcome::Rejected(Rejection { reason: Reason::InsufficientFunds, leg: 0 });
        let expected = [posted(101, 8), refused, posted(102, 9)].map(Answer::Decided);
        assert_eq!(answers, expected);
        assert_eq!((plan.postings.len(), plan.rejections.len()), (2, 1));
    }

    #[test]
    fn a_key_twice_in_one_batch_has_one_effect_and_one_answer() {
        let (plan, answers) = decide(&[order("a", 60), order("a", 60), order("a", 61)], &HashMap::new());
        assert_eq!(answers, [Answer::Decided(posted(101, 8)), Answer::Replayed(posted(101, 8)), Answer::KeyReused]);
        assert_eq!(plan.postings.len(), 1);
    }

    #[test]
    fn a_rejection_is_as_final_as_a_posting() {
        let (plan, answers) = decide(&[order("a", 101), order("a", 101)], &HashMap::new());
        let refused = Outcome::Rejected(Rejection { reason: Reason::InsufficientFunds, leg: 0 });
        assert_eq!(answers, [Answer::Decided(refused), Answer::Replayed(refused)]);
        assert_eq!(plan.rejections.len(), 1);
    }

    #[test]
    fn an_order_that_was_refused_before_it_came_here_is_recorded_and_moves_nothing() {
        let rejection = Rejection { reason: Reason::NoRate, leg: 0 };
        let refused = Order { extra: Extra::Refused(rejection), ..order("a", 60) };
        let (plan, answers) = decide(&[refused.clone(), order("a", 60), refused], &HashMap::new());
        let outcome = Outcome::Rejected(rejection);
        assert_eq!(answers, [Answer::Decided(outcome), Answer::Replayed(outcome), Answer::Replayed(outcome)]);
        assert!(plan.postings.is_empty());
        assert_eq!(plan.rejections, [(0, rejection)]);
    }

    #[test]
    fn a_refusal_to_the_house_is_not_kept_and_spoils_no_later_order() {
        let house = |minor| {
            let amount = Money::new(minor, Currency::EUR);
            let (from, to) = (Uuid::from_u128(1), Uuid::from_u128(2));
            let command = Command::between(Kind::Transfer, Actor::House, from, to, amount).unwrap();
            Order { command, ..order("a", minor) }
        };
        let (plan, answers) = decide(&[house(5), house(6), order("a", 60)], &HashMap::new());
        let refused = Outcome::Rejected(Rejection { reason: Reason::NotOwner, leg: 0 });
        assert_eq!(answers, [refused, refused, posted(101, 8)].map(Answer::Decided));
        assert!(plan.rejections.is_empty());
    }

    #[test]
    fn what_was_recorded_before_is_answered_and_not_decided_again() {
        let known = order("a", 60);
        let recorded = Recorded { fingerprint: known.fingerprint, outcome: posted(5, 1) };
        let recorded = HashMap::from([(known.key.clone(), recorded)]);
        let (plan, answers) = decide(&[order("a", 60), order("a", 1)], &recorded);
        assert_eq!(answers, [Answer::Replayed(posted(5, 1)), Answer::KeyReused]);
        assert!(plan.postings.is_empty() && plan.rejections.is_empty());
    }
}

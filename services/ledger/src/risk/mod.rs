//! What the behavior analytics think of a payment, asked before its money moves ([`Asker`]).
//!
//! What holds:
//! - in shadow: whatever they say, and if they say nothing, the money moves as it would have; the word is noted on the request and written with the posting;
//! - a payment waits for a word for as long as the configuration says (20 ms), and not at all while they are away ([`circuit`]);
//! - it costs no call of its own and no round trip of its own: payments that wait share a call ([`Asker`]), and the word is a row beside the posting
//!   ([`store`]), written with one statement for all of a batch;
//! - nobody is named, and a payment is asked about under the names that it is told under afterwards ([`crate::outbox`]);
//! - moving money among one's own accounts is no payment. Whose an account is never changes (the database refuses it), so it is remembered
//!   ([`owners`]), and read, for all that wait, only of an account that this process has not met. That is why the payee stays the owner, and not the
//!   account: whoever is known for fraud would be unknown again with every account that is opened.
//!
//! A request that is sent again is asked about again: whether it was there before, only the posting knows. That decision is about no payment.

mod asker;
mod circuit;
mod owners;
mod store;

use api::Pseudonym;
use api::behavior::Action;
use defense::{Notes, Word};
use money::Money;
use tokio::time::Instant;

pub(crate) use self::asker::CALLS;
pub use self::asker::{Asker, Work};
use crate::ids::{AccountId, DecisionId, Subject};
use crate::outbox::payment;
use crate::posting::{Actor, Extra, Order};
use crate::state::State;

/// Who is paid.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    /// Whoever owns this account in the house.
    Account(AccountId),
    /// Whoever has this IBAN.
    Iban(&'a str),
}

/// A payment that somebody is about to make.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The request that wants to pay.
    pub request: Option<api::Id>,
    /// When, in milliseconds since 1970.
    pub at_unix_millis: i64,
    /// Who pays.
    pub user: Subject,
    /// Who is paid.
    pub payee: Payee,
    /// How much.
    pub amount: Money,
}

/// Who is paid, as far as it is known before anything is read.
#[derive(Debug, Clone)]
pub enum Payee {
    /// Whoever owns this account.
    Owner(AccountId),
    /// Under this name.
    Named(Pseudonym),
}

/// What is thought of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was judged.
    Judged(Judged),
    /// It is none: the money stays with its owner.
    NotAsked,
    /// Nobody has said, for this reason.
    Unknown(&'static str),
}

/// A judgement that the analytics have stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Under which.
    pub decision: DecisionId,
    /// What was to be done.
    pub action: Action,
}

/// Asks what is thought of the payment that `order` makes, notes it, and answers the order with the word beside it. The order of who is not asked about
/// is answered as it came.
pub async fn ask_first(state: &State, notes: &Notes, to: To<'_>, order: Order) -> Order {
    let (Some(asker), Actor::Customer(user), Some(leg)) = (&state.risk, &order.command.actor, order.command.to()) else {
        return order;
    };
    let payment = Payment {
        // Default: a request without a name of ours is found by nobody.
        request: notes.request_id().and_then(|id| id.parse().ok()),
        at_unix_millis: state.clock.unix_millis(),
        user: user.clone(),
        payee: match to {
            To::Account(account) => Payee::Owner(account),
            To::Iban(iban) => Payee::Named(payment::creditor(iban)),
        },
        amount: leg.amount,
    };
    let began = Instant::now();
    let answer = asker.ask(payment).await;
    let (word, judged) = match answer {
        Answer::NotAsked => return order,
        Answer::Unknown(reason) => (Word::Unknown(reason), None),
        Answer::Judged(judged) => (judged.word(), Some(judged)),
    };
    notes.behavior(word, judged.map(|judged| judged.decision.to_string()), began.elapsed());
    match judged {
        Some(judged) => Order { extra: Extra::beside(store::Beside { judged, extra: order.extra }), ..order },
        None => order,
    }
}

impl Judged {
    fn word(self) -> Word {
        match self.action {
            Action::Allow => Word::Pass,
            Action::StepUp | Action::Delay => Word::Challenge(action(self.action)),
        }
    }
}

/// As it is stored and shown.
const fn action(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::StepUp => "step_up",
        Action::Delay => "delay",
    }
}

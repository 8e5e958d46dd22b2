//! Asks about an order's payment, before the order is posted.

use defense::{Notes, Word};
use identity::Principal;
use tokio::time::Instant;

use super::model::{Answer, Caution, Payee, Payment};
use super::store;
use crate::ids::AccountId;
use crate::outbox::payment;
use crate::posting::{Actor, Order};
use crate::state::State;

/// Who is paid.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    /// Whoever owns this account in the house.
    Account(AccountId),
    /// Whoever has this IBAN.
    Iban(&'a str),
}

/// Asks what is thought of the payment that `order` makes, notes it, and answers the order with the word beside it, and what it takes because of the word.
/// The order of who is not asked about is answered as it came. A word that does not come, or does not count, asks for nothing.
pub async fn ask_first(state: &State, caller: &Principal, notes: &Notes, to: To<'_>, order: Order) -> (Order, Caution) {
    let (Some(asker), Actor::Customer(user), Some(leg)) = (&state.risk, &order.command.actor, order.command.to())
    else {
        return (order, Caution::Usual);
    };
    let payment = Payment {
        // Default: a request without a name of ours is found by nobody.
        request: notes.request_id().and_then(|id| id.parse().ok()),
        at_unix_millis: state.clock.unix_millis(),
        user: user.clone(),
        device: caller.jkt.as_ref().into(),
        payee: match to {
            To::Account(account) => Payee::Owner(account),
            To::Iban(iban) => Payee::Named(payment::creditor(iban)),
        },
        amount: leg.amount,
    };
    let began = Instant::now();
    let (word, judged) = match asker.ask(payment).await {
        Answer::NotAsked => return (order, Caution::Usual),
        Answer::Unknown(reason) => (Word::Unknown(reason), None),
        Answer::Judged(judged) => (judged.word(), Some(judged)),
    };
    notes.behavior(word, judged.map(|judged| judged.decision.to_string()), began.elapsed(), asker.acts());
    let Some(judged) = judged else { return (order, Caution::Usual) };
    let caution = if asker.acts() { judged.caution(asker.hold()) } else { Caution::Usual };
    (Order { extra: order.extra.and(store::Beside { judged }), ..order }, caution)
}

/// What a payout takes whose payer has taken such a one back: that it was meant, they have to say again, and time.
pub fn once_bitten(state: &State) -> Caution {
    // Default: where nobody is asked, or their word does not count, nothing is held.
    state.risk.as_ref().filter(|asker| asker.acts()).map_or(Caution::Usual, |asker| Caution::Hold(asker.hold()))
}

//! Asks about an order's payment, before the order is posted.

use api::approvals::Payee as Shown;
use defense::{Notes, Word};
use identity::Principal;
use tokio::time::Instant;

use super::asker::Asker;
use super::model::{Answer, Caution, Judged, Payee, Payment};
use super::store;
use crate::outbox::payment;
use crate::posting::{Actor, Kind, Order};
use crate::state::State;

/// What is thought of an order's payment.
#[derive(Debug, Clone, Copy)]
pub struct Opinion {
    /// The judgement, if there is one.
    pub judged: Option<Judged>,
    /// What the payment takes because of it.
    pub caution: Caution,
    /// Somebody was asked whose word would count, and none has come.
    pub unheard: bool,
}

impl Opinion {
    /// Of what is not asked about. A word that does not come asks for nothing either.
    pub const NONE: Self = Self { judged: None, caution: Caution::Usual, unheard: false };

    /// The order, with the word beside its posting.
    pub fn beside(self, order: Order) -> Order {
        let Some(judged) = self.judged else { return order };
        Order { extra: order.extra.and(store::Beside(judged)), ..order }
    }
}

/// Asks what is thought of the payment that `order` makes to `payee`, and notes it.
pub async fn ask_first(state: &State, caller: &Principal, notes: &Notes, order: &Order, payee: &Shown) -> Opinion {
    let (Some(asker), Actor::Customer(user), Some(leg)) = (&state.risk, &order.command.actor, order.command.to())
    else {
        return Opinion::NONE;
    };
    let payment = Payment {
        // Default: a request without a name of ours is found by nobody.
        request: notes.request_id().and_then(|id| id.parse().ok()),
        at_unix_millis: state.clock.unix_millis(),
        user: user.clone(),
        device: caller.jkt.as_ref().into(),
        place: state.places.of(notes.address()),
        payee: match order.command.kind {
            Kind::Payout => Payee::Named(payment::creditor(&payee.account)),
            _ => Payee::Owner(leg.account),
        },
        amount: leg.amount,
    };
    let began = Instant::now();
    match asker.ask(payment).await {
        Answer::NotAsked => Opinion::NONE,
        Answer::Unknown(reason) => {
            notes.behavior(Word::Unknown(reason), None, began.elapsed(), asker.acts());
            Opinion { unheard: asker.acts(), ..Opinion::NONE }
        }
        Answer::Judged(judged) => noted(asker, notes, judged, began),
    }
}

/// What was thought of the payment when its payer was asked, as if it were said now.
pub fn recall(state: &State, notes: &Notes, judged: Judged) -> Opinion {
    match &state.risk {
        Some(asker) => noted(asker, notes, judged, Instant::now()),
        None => Opinion { judged: Some(judged), ..Opinion::NONE },
    }
}

fn noted(asker: &Asker, notes: &Notes, judged: Judged, began: Instant) -> Opinion {
    notes.behavior(judged.word(), Some(judged.decision.to_string()), began.elapsed(), asker.acts());
    let caution = if asker.acts() { judged.caution(asker.hold()) } else { Caution::Usual };
    Opinion { judged: Some(judged), caution, unheard: false }
}

/// What a payout takes whose payer has taken such a one back: that it was meant, they have to say again, and time.
pub fn once_bitten(state: &State) -> Caution {
    // Default: where nobody is asked, or their word does not count, nothing is held.
    state.risk.as_ref().filter(|asker| asker.acts()).map_or(Caution::Usual, |asker| Caution::Hold(asker.hold()))
}

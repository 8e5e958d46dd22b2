//! What the partner's word does to a payout: settled, back on the account, or, when it comes too late, into suspense.
//!
//! The keys are the payout's, not the event's: whatever the partner says, and however often, each step happens once.

use api::internal::PayoutOutcome;

use runtime::trace;
use tracing::Span;

use super::history::{Step, Word, next_step};
use super::store::{self, NOT_HELD, PartnerStep, Payout};
use crate::alarm::{self, Alarm};
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::ids::{EventId, Owner, PayoutId};
use crate::posting::{self, Actor, Command, Extra, Fingerprint, Kind, Order, Purpose, Unanswered, system_account};
use crate::state::State;
use crate::suspense::{self, Arrival};

/// Whose keys these are.
const OWNER: &str = "house";
/// Settling, paying late and returning are the longest way; a word that raced with another one starts again.
const MAX_STEPS: usize = 8;

/// Applies the word of `provider` on a payout. It is replayed if the books had said the same before.
pub async fn apply(
    state: &State,
    provider: &str,
    payout: PayoutId,
    outcome: PayoutOutcome,
    word: Word,
) -> Result<Idempotent<Payout>, Error> {
    let mut replayed = true;
    for attempt in 0..MAX_STEPS {
        let row = read(state, payout).await?;
        if attempt == 0 && word == Word::Event {
            // The partner carries no trace of ours, so its word begins one: this says which one it belongs to.
            trace::link(&Span::current(), row.traceparent.as_deref());
        }
        if row.provider != provider {
            alarm::raise(Alarm::ForeignProvider, payout, provider);
            return Err(Error::Missing(Resource::Payout));
        }
        if row.is_unsent_hold()? {
            // Of an order that nobody has sent the partner can know nothing.
            alarm::raise(Alarm::Contradiction, payout, provider);
            return Err(Error::Contradiction);
        }
        let step = match next_step(row.standing()?, row.paid_late_by.is_some(), row.returned_by.is_some(), outcome) {
            Ok(Some(step)) => step,
            Ok(None) => return Ok(Idempotent { result: row, replayed }),
            Err(_) => {
                alarm::raise(Alarm::Contradiction, payout, provider);
                return Err(Error::Contradiction);
            }
        };
        match post(state, &row, step, word).await {
            Ok(was_there) => replayed &= was_there,
            // Another word was faster: see where the payout stands now.
            Err(Error::KeyReused) => (),
            Err(error) => return Err(error),
        }
        if step == Step::PayLate {
            alarm::raise(Alarm::PaidAfterReversal, payout, provider);
        }
    }
    Err(Error::Invariant("a payout did not come to rest"))
}

/// The money goes back, because the partner has refused the order and certainly has no other copy of it.
pub async fn refuse(state: &State, payout: PayoutId) -> Result<(), Error> {
    let row = read(state, payout).await?;
    post(state, &row, Step::GiveBack, Word::Refusal).await.map(|_| ())
}

/// The money goes back, because its payer takes it back while it is held, or an operator does. Tells whether it had gone back before, on whosever word.
///
/// # Errors
///
/// [`Error::NotHeld`]: it is not, or not any more.
pub async fn take_back(state: &State, row: &Payout, word: Word) -> Result<bool, Error> {
    match post(state, row, Step::GiveBack, word).await {
        Ok(was_there) => Ok(was_there),
        Err(Error::Unanswered(Unanswered::Ceiling(NOT_HELD)) | Error::KeyReused) => Err(Error::NotHeld),
        Err(error) => Err(error),
    }
}

/// A payout, whosever it is.
pub(super) async fn read(state: &State, payout: PayoutId) -> Result<Payout, Error> {
    let mut db = storage::connection(&state.poster).await?;
    store::find_any(&mut db, payout).await?.ok_or(Error::Missing(Resource::Payout))
}

/// Posts one step; tells whether it had been posted before.
async fn post(state: &State, row: &Payout, step: Step, word: Word) -> Result<bool, Error> {
    let amount = row.money()?;
    let house = |purpose| system_account(purpose, amount.currency());
    let payout = row.id;
    let (kind, from, to) = match step {
        Step::Settle => (Kind::PayoutSettlement, house(Purpose::PayoutClearing), house(Purpose::Settlement)),
        Step::GiveBack => (Kind::PayoutReversal, house(Purpose::PayoutClearing), row.account_id),
        Step::PayLate => (Kind::PayoutPaidLate, house(Purpose::Suspense), house(Purpose::Settlement)),
        Step::Return => (Kind::PayoutReturn, house(Purpose::Settlement), row.account_id),
        Step::ReturnLate => (Kind::PayoutReturnLate, house(Purpose::Settlement), house(Purpose::Suspense)),
    };
    let arrival = Arrival { provider: row.provider.clone(), event_id: EventId::of(&payout.to_string()) };
    let command = Command::between(kind, Actor::House, from, to, amount)
        .map_err(|cause| Error::Amount { field: "payout_id", cause: cause.into() })?;
    let order = Order {
        owner: Owner::of(OWNER),
        key: payout.into(),
        fingerprint: Fingerprint::of(&[kind.into_str().as_bytes()]),
        command,
        reference: row.reference.clone(),
        counterparty: row.creditor_name.clone(),
        extra: Extra::beside(PartnerStep { payout, step, word, arrival }),
    };
    let receipt = posting::post(&state.committer, order).await?;
    if matches!(step, Step::GiveBack | Step::Return) {
        // An account that cannot take its money back does not keep it from being booked.
        suspense::alarm::raise(state, &receipt).await?;
    }
    Ok(receipt.replayed)
}

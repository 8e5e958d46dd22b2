//! Orders a payout: the money leaves the account now, the partner gets the order after.

use api::approvals::Payee;
use api::payouts::{Creditor, MaskedIban, Payout, PayoutStatus, PostPayout};
use api::text::{CREDITOR_NAME, REFERENCE};
use defense::Notes;
use identity::Principal;
use money::Money;

use super::read::read;
use super::{iban, store};
use crate::approvals::demand::{demand, spent};
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, IdempotencyKey, Subject};
use crate::input::{self, time, wire};
use crate::posting::{self, Actor, Command, Extra, Fingerprint, Kind, Order, Purpose, Unanswered, system_account};
use crate::risk;
use crate::state::State;

/// The payout as it was when it was ordered.
pub async fn order(
    state: &State,
    caller: &Principal,
    notes: &Notes,
    key: &IdempotencyKey,
    request: PostPayout,
) -> Result<Idempotent<Payout>, Error> {
    let subject = &Subject::from(caller);
    let amount = input::positive(&request.amount)?;
    let reference = input::text("reference", &request.reference, 0, REFERENCE)?;
    let Creditor { name, iban } = &request.creditor;
    input::text("creditor.name", name, 1, CREDITOR_NAME)?;
    if !iban::is_valid(iban) {
        return Err(Error::Field { field: "creditor.iban", problem: "is not an IBAN" });
    }
    let order = intended(subject, key, &request, amount, reference)?;
    let past = storage::subject_transaction(&state.pool, "payouts.room", subject.as_str(), async |db| {
        store::past(db, subject, key, iban).await
    });
    let past = past.await?;
    if !past.room {
        return Err(Error::PayoutLimit);
    }
    let payee = Payee { name: name.clone(), account: iban.clone() };
    let (order, caution) = risk::ask_first(state, notes, risk::To::Iban(iban), order).await;
    // The analytics have learned of it as if it had been paid.
    let caution = if past.taken_back { caution.max(risk::once_bitten(state)) } else { caution };
    let (order, caution) = demand(state, caller, order, payee, caution).await?;
    let ordered = store::Ordered {
        provider: state.payout_providers.current().to_owned(),
        creditor_name: name.clone(),
        creditor_iban: iban.clone(),
        traceparent: runtime::trace::current(),
        hold_seconds: caution.hold_seconds(),
    };
    let order = Order { extra: order.extra.and(ordered), ..order };
    let receipt = posting::post(&state.committer, order).await.map_err(|error| match error {
        Error::Unanswered(Unanswered::Ceiling(store::LIMIT_REACHED)) => Error::PayoutLimit,
        other => spent(other),
    })?;
    state.payouts.notify_one();
    let id = receipt.posted.id;
    // A repetition may be judged otherwise than the first one was.
    let may_be_held = receipt.replayed || caution.hold_seconds() > 0;
    let held_until = if may_be_held {
        let row = read(state, subject, id.into()).await.map_err(|error| match error {
            // It was just posted with the money: that it is nobody's is no answer to its payer.
            Error::Missing(_) => Error::Invariant("a payout without its row"),
            other => other,
        });
        row?.payout.held_until.map(time)
    } else {
        None
    };
    let status = if held_until.is_some() { PayoutStatus::Held } else { PayoutStatus::Pending };
    let result = Payout {
        id: id.into(),
        from_account: request.from_account,
        amount: wire(amount),
        creditor: Creditor { name: name.clone(), iban: MaskedIban::of(iban) },
        reference: request.reference,
        status,
        held_until,
        created_at: time(receipt.posted.at),
    };
    Ok(Idempotent { result, replayed: receipt.replayed })
}

/// What is to be posted, before anybody has thought about it.
fn intended(
    subject: &Subject,
    key: &IdempotencyKey,
    request: &PostPayout,
    amount: Money,
    reference: &str, // Text: shown to the creditor.
) -> Result<Order, Error> {
    let Creditor { name, iban } = &request.creditor;
    let from = AccountId::from(request.from_account);
    let clearing = system_account(Purpose::PayoutClearing, amount.currency());
    let actor = Actor::Customer(subject.clone());
    let command = Command::between(Kind::Payout, actor, from, clearing, amount)
        .map_err(|cause| Error::Amount { field: "amount.amount", cause: cause.into() })?;
    Ok(Order {
        owner: subject.into(),
        key: key.clone(),
        fingerprint: Fingerprint::of(&[
            from.as_bytes(),
            &amount.minor().to_be_bytes(),
            amount.currency().code().as_bytes(),
            name.as_bytes(),
            iban.as_bytes(),
            reference.as_bytes(),
        ]),
        command,
        reference: reference.to_owned(),
        counterparty: name.clone(),
        extra: Extra::Nothing,
    })
}

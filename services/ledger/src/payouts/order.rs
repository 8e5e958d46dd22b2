//! Orders a payout: the money leaves the account now, the partner gets the order after.

use api::approvals;
use api::payouts::{Creditor, MaskedIban, Payout, PayoutStatus, PostPayout};
use api::text::REFERENCE;
use chrono::{DateTime, Utc};
use defense::Notes;
use identity::Principal;
use money::Money;

use super::read::read;
use super::store::{self, OneMore};
use crate::approvals::demand;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, IdempotencyKey, PayeeId, PayoutId, Subject};
use crate::input::{self, time, wire};
use crate::payees::confirm;
use crate::payees::store::{self as payees, Payee};
use crate::posting::{
    self, Actor, Command, Extra, Fingerprint, Kind, ON_THE_BOOKS, Order, Purpose, Reason, Receipt, Rejection,
    Unanswered, system_account,
};
use crate::risk::{self, Caution};
use crate::state::State;

/// The leg of the payee.
const TO: i16 = 1;

/// The payout as it was when it was ordered. That there is no such payee, or not any more, is the outcome of its key.
pub async fn order(
    state: &State,
    caller: &Principal,
    notes: &Notes,
    key: &IdempotencyKey,
    request: PostPayout,
) -> Result<Idempotent<Payout>, Error> {
    let subject = &Subject::from(caller);
    let amount = input::positive(&request.amount)?;
    input::text("reference", &request.reference, 0, REFERENCE)?;
    let (id, cap) = (PayeeId::from(request.payee_id), state.new_payees.cap(amount.currency()));
    let order = || intended(subject, key, &request, amount);
    let posted_as = order()?.id().ok_or(Error::Invariant("a payout without a name"))?;
    let past = storage::subject_transaction(&state.pool, "payouts.room", subject.as_str(), async |db| {
        let payee = payees::find(db, subject, id).await?;
        let iban = payee.as_ref().map(|payee| payee.iban.as_str());
        let past = store::past(db, subject, &OneMore { key, payee: id, iban, amount, cap, posted_as }).await?;
        Ok::<_, Error>((past, payee))
    });
    let (past, payee) = past.await?;
    // The payee may have been added after the point that was restored to, and be forgotten.
    if let (Some(at), Some(name)) = (past.found_at, past.found_name) {
        // Default: its payee is forgotten, and nothing is shown of the account.
        let iban = payee.as_ref().map_or_else(|| MaskedIban::of(""), |payee| MaskedIban::of(&payee.iban));
        return Ok(found(request, amount, Creditor { name, iban }, posted_as.into(), at));
    }
    if !past.room {
        return Err(Error::PayoutLimit);
    }
    let Some(payee) = payee.clone().filter(|payee| payee.removed_at.is_none()) else {
        let (payee, receipt) = nobody_to_pay(state, order()?, payee, id).await?;
        return answer(state, subject, request, amount, &payee, receipt, true).await;
    };
    let too_much = Error::PayeeIsNew { until: time(payee.cools_off_at), cap };
    if payee.is_new && past.above_cap {
        return Err(too_much);
    }
    let payee = confirm::if_unknown(state, subject, payee).await?;
    // The analytics have learned of it as if it had been paid.
    let caution = if past.taken_back { risk::once_bitten(state) } else { Caution::Usual };
    // To somebody else's account, or one of which that is being asked: small or not, its payer has seen it.
    let caution = if payee.may_have_another_name() { caution.max(Caution::Approval) } else { caution };
    let shown = approvals::Payee { name: payee.name.clone(), account: payee.iban.clone() };
    let with = |ordered: Order, caution: Caution| {
        let beside = store::Ordered {
            provider: state.payout_providers.current().to_owned(),
            payee: payee.clone(),
            new_payee_cap: cap.minor(),
            traceparent: runtime::trace::current(),
            hold_seconds: caution.hold_seconds(),
        };
        Order { extra: ordered.extra.and(beside), counterparty: payee.name.clone(), ..ordered }
    };
    let (payee, receipt, held) = match demand::post(state, caller, notes, order()?, shown, caution, &with).await {
        Ok((receipt, caution)) => (payee, receipt, caution.hold_seconds() > 0),
        Err(Error::Unanswered(Unanswered::Ceiling(store::PAYEE_GONE))) => {
            let (payee, receipt) = nobody_to_pay(state, order()?, Some(payee), id).await?;
            (payee, receipt, true)
        }
        Err(other) => return Err(refused(other, too_much, &order()?)),
    };
    state.payouts.notify_one();
    // What a restored database has forgotten is known by this line: whose an order is that the partner has.
    runtime::audit!("payout", outcome = "ordered", payout = %receipt.posted.id, account = %request.from_account, replayed = receipt.replayed);
    answer(state, subject, request, amount, &payee, receipt, held).await
}

/// What the database's word for a ceiling means here.
fn refused(error: Error, too_much: Error, order: &Order) -> Error {
    match error {
        Error::Unanswered(Unanswered::Ceiling(store::LIMIT_REACHED)) => Error::PayoutLimit,
        Error::Unanswered(Unanswered::Ceiling(store::PAYEE_IS_NEW)) => too_much,
        other => unless_found(other, order),
    }
}

/// The partner has it, and it was booked off suspense, because nobody knew whose it is or the account was short: it is neither refused nor posted.
fn unless_found(error: Error, order: &Order) -> Error {
    if !matches!(error, Error::Unanswered(Unanswered::Ceiling(ON_THE_BOOKS))) {
        return error;
    }
    if let (Some(id), Some(from)) = (order.id(), order.command.from()) {
        runtime::audit!("payout", outcome = "found", payout = %id, account = %from.account);
    }
    Error::Unanswered(Unanswered::Unknown)
}

/// The same order, ordered before the books were restored, which was found at its partner and booked before they were opened. What has become of it the
/// books do not follow (a `GET` is 404): the partner has it, and that is said.
fn found(
    request: PostPayout,
    amount: Money,
    creditor: Creditor,
    id: PayoutId,
    at: DateTime<Utc>,
) -> Idempotent<Payout> {
    let result = Payout {
        id: id.into(),
        from_account: request.from_account,
        amount: wire(amount),
        creditor,
        reference: request.reference,
        status: PayoutStatus::Submitted,
        held_until: None,
        created_at: time(at),
    };
    Idempotent { result, replayed: true }
}

/// Records under the key that there is nobody to pay, and says so; or what the key had come to before, while there was.
async fn nobody_to_pay(
    state: &State,
    order: Order,
    payee: Option<Payee>,
    id: PayeeId,
) -> Result<(Payee, Receipt), Error> {
    let reason = match &payee {
        Some(_) => Reason::PayeeRemoved,
        None if payees::is_anybodys(&state.poster, id).await? => Reason::NotOwnPayee,
        None => Reason::NoPayee,
    };
    let order = Order { extra: Extra::Refused(Rejection { reason, leg: TO }), ..order };
    let named = order.clone();
    let receipt = posting::post(&state.committer, order).await.map_err(|error| unless_found(error, &named))?;
    Ok((payee.ok_or(Error::Invariant("a payout to nobody"))?, receipt))
}

async fn answer(
    state: &State,
    subject: &Subject,
    request: PostPayout,
    amount: Money,
    payee: &Payee,
    receipt: Receipt,
    may_be_held: bool,
) -> Result<Idempotent<Payout>, Error> {
    let id = receipt.posted.id;
    // A repetition may be judged otherwise than the first one was.
    let held_until = if receipt.replayed || may_be_held {
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
        creditor: Creditor { name: payee.name.clone(), iban: MaskedIban::of(&payee.iban) },
        reference: request.reference,
        status,
        held_until,
        created_at: time(receipt.posted.at),
    };
    Ok(Idempotent { result, replayed: receipt.replayed })
}

/// What is to be posted, before anybody has thought about it.
fn intended(subject: &Subject, key: &IdempotencyKey, request: &PostPayout, amount: Money) -> Result<Order, Error> {
    let from = AccountId::from(request.from_account);
    let clearing = system_account(Purpose::PayoutClearing, amount.currency());
    let actor = Actor::Customer(subject.clone());
    let command = Command::between(Kind::Payout, actor, from, clearing, amount)
        .map_err(|cause| Error::Amount { field: "amount.amount", cause: cause.into() })?;
    Ok(Order {
        owner: subject.into(),
        key: key.clone(),
        // A payee's name and IBAN never change, so whoever compares this compares them.
        fingerprint: Fingerprint::of(&[
            from.as_bytes(),
            &amount.minor().to_be_bytes(),
            amount.currency().code().as_bytes(),
            PayeeId::from(request.payee_id).as_bytes(),
            request.reference.as_bytes(),
        ]),
        command,
        reference: request.reference.clone(),
        counterparty: String::new(),
        extra: Extra::Nothing,
    })
}

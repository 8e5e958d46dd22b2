//! Posts a transfer from the caller's account to any customer's account.

use api::approvals::Payee;
use api::text::REFERENCE;
use api::transfers::{PostTransfer, Transfer};
use defense::Notes;
use identity::Principal;
use money::Money;

use crate::approvals::demand;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, IdempotencyKey, Subject};
use crate::input::{self, time, wire};
use crate::posting::{Actor, Command, Extra, Fingerprint, Kind, Order, Receipt};
use crate::risk;
use crate::state::State;

pub async fn post(
    state: &State,
    caller: &Principal,
    notes: &Notes,
    key: &IdempotencyKey,
    request: PostTransfer,
) -> Result<Idempotent<Transfer>, Error> {
    let subject = Subject::from(caller);
    let amount = input::positive(&request.amount)?;
    let reference = input::text("reference", &request.reference, 0, REFERENCE)?;
    let (from, to): (AccountId, AccountId) = (request.from_account.into(), request.to_account.into());
    let actor = Actor::Customer(subject.clone());
    let command = Command::between(Kind::Transfer, actor, from, to, amount)
        .map_err(|cause| Error::Amount { field: "amount.amount", cause: cause.into() })?;
    let order = Order {
        owner: (&subject).into(),
        key: key.clone(),
        fingerprint: Fingerprint::of(&[
            from.as_bytes(),
            to.as_bytes(),
            &amount.minor().to_be_bytes(),
            amount.currency().code().as_bytes(),
            reference.as_bytes(),
        ]),
        command,
        reference: reference.to_owned(),
        counterparty: String::new(),
        extra: Extra::Nothing,
    };
    // Whose account it is, the payer has not said, and the house does not tell.
    let payee = Payee { name: String::new(), account: to.to_string() };
    let (order, caution) = risk::ask_first(state, caller, notes, risk::To::Account(to), order).await;
    let (receipt, _) = demand::post(state, caller, order, payee, caution, |order, _| order).await?;
    // A repetition has the same fingerprint, so what was asked now is also the first one's.
    Ok(shown(&receipt, from, to, amount, request.reference))
}

/// A transfer of two legs as its sender sees it.
pub fn shown(
    receipt: &Receipt,
    from: AccountId,
    to: AccountId,
    amount: Money,
    reference: String,
) -> Idempotent<Transfer> {
    let result = Transfer {
        id: receipt.posted.id.into(),
        sequence: receipt.posted.sequence,
        from_account: from.into(),
        to_account: to.into(),
        amount: wire(amount),
        reference,
        posted_at: time(receipt.posted.at),
    };
    Idempotent { result, replayed: receipt.replayed }
}

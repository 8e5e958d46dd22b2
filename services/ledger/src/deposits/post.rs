//! Books a deposit. The partner's event id is the key: an event that is delivered again books nothing.

use api::internal::Deposit;
use api::transfers::Transfer;

use crate::error::Error;
use crate::input::{self, time, wire};
use crate::posting::{Actor, Command, Extra, Fingerprint, Key, Kind, Order, Purpose, system_account};
use crate::state::State;

/// Whose keys these are.
const OWNER: &str = "broker";

/// The transfer, and whether it was there before.
pub async fn post(state: &State, deposit: &Deposit) -> Result<(Transfer, bool), Error> {
    let amount = input::positive_parts(&deposit.amount, &deposit.currency, "amount", "currency")?;
    let key = event_id(&deposit.event_id)?;
    let from = system_account(Purpose::Settlement, amount.currency());
    let to = deposit.account_id.uuid();
    let command = Command::between(Kind::Deposit, Actor::House, from, to, amount)
        .map_err(|cause| Error::Amount { field: "amount", cause: cause.into() })?;
    let reference = input::fitted(&deposit.reference, input::REFERENCE);
    let order = Order {
        key: Key { owner: OWNER.to_owned(), operation: Kind::Deposit.operation(), key },
        fingerprint: Fingerprint::of(&[
            to.as_bytes(),
            &amount.minor().to_be_bytes(),
            amount.currency().code().as_bytes(),
            deposit.debtor_name.as_bytes(),
            deposit.reference.as_bytes(),
        ]),
        command,
        reference: reference.clone(),
        counterparty: input::fitted(&deposit.debtor_name, input::REFERENCE),
        extra: Extra::Nothing,
    };
    let receipt = state.post(order).await?;
    let transfer = Transfer {
        id: receipt.posted.id.into(),
        sequence: receipt.posted.sequence,
        from_account: from.into(),
        to_account: deposit.account_id,
        amount: wire(amount),
        reference,
        posted_at: time(receipt.posted.at),
    };
    Ok((transfer, receipt.replayed))
}

/// An event id that can be a key.
pub fn event_id(id: &str) -> Result<String, Error> {
    let good = (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        Ok(id.to_owned())
    } else {
        Err(Error::Field { field: "event_id", problem: "is not 1 to 255 printable characters" })
    }
}

//! Books a deposit. The partner's event id is the key, and it belongs to the partner: an event that is delivered again books nothing, another
//! partner's event of the same id is other money.

use api::internal::Deposit;
use api::text::REFERENCE;
use api::transfers::Transfer;

use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, EventId, Owner};
use crate::input;
use crate::posting::{self, Actor, Command, Extra, Fingerprint, Kind, Order, Purpose, system_account};
use crate::state::State;
use crate::suspense::{Arrival, alarm};
use crate::transfers::post::shown;

/// The transfer. It is to the suspense account if the wanted one cannot take it.
pub async fn post(state: &State, deposit: &Deposit) -> Result<Idempotent<Transfer>, Error> {
    let provider = provider(&deposit.provider)?;
    let event_id = event_id(&deposit.event_id)?;
    let amount = input::positive_parts(&deposit.amount, &deposit.currency, "amount", "currency")?;
    let from = system_account(Purpose::Settlement, amount.currency());
    let wanted = AccountId::from(deposit.account_id);
    let command = Command::between(Kind::Deposit, Actor::House, from, wanted, amount)
        .map_err(|cause| Error::Amount { field: "amount", cause: cause.into() })?;
    let reference = input::fitted(&deposit.reference, REFERENCE);
    let order = Order {
        owner: Owner::of(&format!("broker:{provider}")),
        key: (&event_id).into(),
        fingerprint: Fingerprint::of(&[
            provider.as_bytes(),
            wanted.as_bytes(),
            &amount.minor().to_be_bytes(),
            amount.currency().code().as_bytes(),
            deposit.debtor_name.as_bytes(),
            deposit.reference.as_bytes(),
        ]),
        command,
        reference: reference.clone(),
        counterparty: input::fitted(&deposit.debtor_name, REFERENCE),
        extra: Extra::beside(Arrival { provider, event_id }),
    };
    let receipt = posting::post(&state.committer, order).await?;
    let suspended = alarm::raise(state, &receipt).await?;
    let to = if suspended { system_account(Purpose::Suspense, amount.currency()) } else { wanted };
    Ok(shown(&receipt, from, to, amount, reference))
}

/// An event id that can be a key.
// Text: what is looked at before it is one.
pub fn event_id(id: &str) -> Result<EventId, Error> {
    let good = (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        Ok(EventId::of(id))
    } else {
        Err(Error::Field { field: "event_id", problem: "is not 1 to 255 printable characters" })
    }
}

/// A provider's name, as manifests have them.
pub fn provider(name: &str) -> Result<String, Error> {
    let byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(byte) {
        Ok(name.to_owned())
    } else {
        Err(Error::Field { field: "provider", problem: "is not the name of a provider" })
    }
}

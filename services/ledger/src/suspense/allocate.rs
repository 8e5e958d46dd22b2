//! Takes an item out of suspense to its owner. The item is the key: it is allocated once, whoever asks, and however often.

use api::transfers::Transfer;

use super::store;
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, ItemId, Owner};
use crate::posting::{self, Actor, Command, Extra, Fingerprint, Kind, Order, Purpose, system_account};
use crate::state::State;
use crate::transfers::post::shown;

/// Whose keys these are.
const OWNER: &str = "operator";

/// The transfer. A refusal stands in the audit log and is judged anew the next time.
pub async fn allocate(state: &State, item: ItemId, account: AccountId) -> Result<Idempotent<Transfer>, Error> {
    let outcome = post(state, item, account).await;
    match &outcome {
        Ok(Idempotent { result, replayed }) => {
            let (outcome, transfer) = ("allocated", result.id);
            runtime::audit!("suspense", outcome, peer = OWNER, %item, %account, %transfer, replayed);
        }
        Err(error) => {
            runtime::audit!("suspense", outcome = "not_allocated", peer = OWNER, reason = %error, %item, %account);
        }
    }
    outcome
}

async fn post(state: &State, item: ItemId, account: AccountId) -> Result<Idempotent<Transfer>, Error> {
    let mut db = storage::connection(&state.poster).await?;
    let row = store::find(&mut db, item).await?.ok_or(Error::Missing(Resource::SuspenseItem))?;
    drop(db);
    let amount = row.money();
    let from = system_account(Purpose::Suspense, amount.currency());
    let command = Command::between(Kind::Allocation, Actor::House, from, account, amount)
        .map_err(|cause| Error::Amount { field: "amount", cause: cause.into() })?;
    let order = Order {
        owner: Owner::of(OWNER),
        key: item.into(),
        fingerprint: Fingerprint::of(&[account.as_bytes()]),
        command,
        reference: row.reference.clone(),
        counterparty: row.counterparty,
        extra: Extra::beside(store::Allocation { item }),
    };
    let receipt = posting::post(&state.committer, order).await.map_err(|error| match error {
        Error::KeyReused => Error::Allocated,
        other => other,
    })?;
    Ok(shown(&receipt, from, account, amount, row.reference))
}

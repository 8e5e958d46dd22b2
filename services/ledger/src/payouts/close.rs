//! The end of a payout, on the partner's word: settled, or back on the account.
//!
//! The key is the payout, not the event: whatever the partner sends, and however often, one payout has one end.

use api::internal::PayoutOutcome;
use uuid::Uuid;

use super::store::{self, Payout};
use crate::error::{Error, Resource};
use crate::posting::{Actor, Command, Extra, Fingerprint, Key, Kind, Order, Purpose, Word, system_account};
use crate::state::Receipt;
use crate::state::State;

/// Whose keys these are.
const OWNER: &str = "house";

/// Ends a payout. Tells whether it had this end before; the other end is [`Error::KeyReused`].
pub async fn close(
    state: &State,
    payout: Uuid,
    outcome: PayoutOutcome,
    word: Word,
) -> Result<(Payout, Receipt), Error> {
    let mut db = storage::connection(&state.poster).await?;
    let row = store::find_any(&mut db, payout).await?.ok_or(Error::Missing(Resource::Payout))?;
    drop(db);
    let amount = row.money()?;
    let clearing = system_account(Purpose::PayoutClearing, amount.currency());
    let (kind, to, paid) = match outcome {
        PayoutOutcome::Returned => return Err(Error::KeyReused),
        PayoutOutcome::Paid => (Kind::PayoutSettlement, system_account(Purpose::Settlement, amount.currency()), true),
        PayoutOutcome::Failed => (Kind::PayoutReversal, row.account_id, false),
    };
    let command = Command::between(kind, Actor::House, clearing, to, amount)
        .map_err(|cause| Error::Amount { field: "payout_id", cause: cause.into() })?;
    let order = Order {
        key: Key { owner: OWNER.to_owned(), operation: kind.operation(), key: payout.to_string() },
        fingerprint: Fingerprint::of(&[kind.as_str().as_bytes()]),
        command,
        reference: row.reference.clone(),
        counterparty: row.creditor_name.clone(),
        extra: Extra::PayoutClosed { payout, paid, word },
    };
    let receipt = state.post(order).await?;
    Ok((row.closed(paid), receipt))
}

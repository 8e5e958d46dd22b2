//! Its payer takes a payout back while it is held.

use api::payouts::Payout;

use super::events;
use super::read::read;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{PayoutId, Subject};
use crate::state::State;

/// The payout, taken back now or before.
pub async fn cancel(state: &State, owner: &Subject, id: PayoutId) -> Result<Idempotent<Payout>, Error> {
    let before = read(state, owner, id).await?;
    let mut replayed = before.payout.is_cancelled();
    if !replayed {
        // Looked at before it is queued: what cannot be taken back takes nobody else's posting with it. The database decides all the same.
        if !before.held {
            return Err(Error::NotHeld);
        }
        replayed = events::cancel(state, &before.payout).await?;
        if !replayed {
            runtime::audit!("payout", outcome = "cancelled", payout = %before.payout.id);
        }
    }
    let after = read(state, owner, id).await?;
    if !after.payout.is_cancelled() {
        return Err(Error::NotHeld);
    }
    Ok(Idempotent { result: after.wire()?, replayed })
}

//! Its payer takes a payout back while it is held, or an operator in the payer's stead, also while a stop keeps it here.

use api::payouts::Payout;

use super::events;
use super::history::{Standing, Word};
use super::read::read;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{PayoutId, Subject};
use crate::state::State;

/// The payout, taken back now or before.
pub async fn cancel(state: &State, owner: &Subject, id: PayoutId) -> Result<Idempotent<Payout>, Error> {
    let before = read(state, owner, id).await?;
    let mut replayed = before.payout.is_taken_back();
    if !replayed {
        // Looked at before it is queued: what cannot be taken back takes nobody else's posting with it. The database decides all the same.
        if !before.held {
            return Err(Error::NotHeld);
        }
        replayed = events::take_back(state, &before.payout, Word::Cancelled).await?;
        if !replayed {
            runtime::audit!("payout", outcome = "cancelled", payout = %before.payout.id);
        }
    }
    let after = read(state, owner, id).await?;
    if !after.payout.is_taken_back() {
        return Err(Error::NotHeld);
    }
    Ok(Idempotent { result: after.wire()?, replayed })
}

/// The payout, taken back by an operator now, or by somebody before.
pub async fn withdraw(state: &State, id: PayoutId) -> Result<Idempotent<Payout>, Error> {
    let before = events::read(state, id).await?;
    let mut replayed = before.is_taken_back();
    if !replayed {
        // As above. What is neither held nor stopped the database refuses.
        if before.unsure_since.is_some() || before.standing()? != Standing::Pending {
            return Err(Error::NotHeld);
        }
        replayed = events::take_back(state, &before, Word::Withdrawn).await?;
        runtime::audit!("payout", outcome = "withdrawn", peer = "operator", payout = %before.id, replayed);
    }
    let after = events::read(state, id).await?;
    if !after.is_taken_back() {
        return Err(Error::NotHeld);
    }
    Ok(Idempotent { result: after.wire()?, replayed })
}

//! Removes a payee: nothing is paid to it any more. What was posted before goes its way.

use super::store::{self, Payee};
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::ids::{PayeeId, Subject};
use crate::state::State;

/// The payee, removed now or before. It waits for a payout to it that is being posted.
pub async fn remove(state: &State, owner: &Subject, id: PayeeId) -> Result<Idempotent<Payee>, Error> {
    let removed = storage::subject_transaction(&state.pool, "payees.remove", owner.as_str(), async |db| {
        let removed = store::remove(db, owner, id).await?;
        let result = store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Payee))?;
        Ok::<_, Error>(Idempotent { result, replayed: removed == 0 })
    })
    .await?;
    if !removed.replayed {
        runtime::audit!("payee", outcome = "removed", payee = %id);
    }
    Ok(removed)
}

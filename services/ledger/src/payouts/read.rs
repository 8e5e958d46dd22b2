//! Reads a payout as its owner sees it.

use super::store::{self, Seen};
use crate::error::{Error, Resource};
use crate::ids::{PayoutId, Subject};
use crate::state::State;

/// Another's looks like none.
pub(super) async fn read(state: &State, owner: &Subject, id: PayoutId) -> Result<Seen, Error> {
    storage::subject_transaction(&state.pool, "payouts.get", owner.as_str(), async |db| {
        store::find(db, owner, id).await?.ok_or(Error::Missing(Resource::Payout))
    })
    .await
}

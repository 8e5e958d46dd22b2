//! Confirmation of payee: whether the account belongs to the name, asked of whoever keeps the account, through the broker.
//!
//! That it is asked is written down first, in a transaction that counts ([`store::checks`]); then somebody is asked, with no transaction open; then the word is stored,
//! in one of its own. So each payee is asked about once, whatever is repeated and whoever is lost, and a partner that hangs holds nothing of the database.

use super::store::{self, Payee, checks};
use super::word::Told;
use crate::error::{Error, Resource};
use crate::ids::{PayeeId, Subject};
use crate::state::State;

/// The database's word for having asked as much as one may.
pub(super) const BUDGET: &str = "payee_checks_within_the_budget";

/// Asks, and stores the word; the payee with it. What has been added stays so whatever comes of this: then nothing is known of its name, and that is said.
pub(super) async fn ask(state: &State, owner: &Subject, payee: Payee, asked: i32) -> Payee {
    let Some(names) = &state.names else { return payee };
    let told = match names.ask(&payee.iban, &payee.name).await {
        Ok(told) => told,
        Err(silence) => {
            tracing::warn!(cause = %silence, payee = %payee.id, "the name of a payee could not be checked");
            Told::SILENCE
        }
    };
    runtime::audit!("payee", outcome = "checked", reason = told.word.as_ref(), payee = %payee.id);
    let stored = storage::subject_transaction(&state.pool, "payees.told", owner.as_str(), async |db| {
        checks::tell(db, payee.id, asked, &told).await?;
        store::find(db, owner, payee.id).await?.ok_or(Error::Missing(Resource::Payee))
    });
    match stored.await {
        Ok(checked) => checked,
        Err(error) => {
            tracing::error!(cause = %error, payee = %payee.id, "what was said of a payee's name is lost");
            payee
        }
    }
}

/// Before a payout: asks about a payee that nobody was asked about, or of whom nobody has answered lately.
///
/// # Errors
///
/// The database's.
pub async fn if_unknown(state: &State, owner: &Subject, payee: Payee) -> Result<Payee, Error> {
    if state.names.is_none() || !payee.is_to_be_checked() {
        return Ok(payee);
    }
    match claim(state, owner, payee.id).await {
        Ok(Some(asked)) => Ok(ask(state, owner, payee, asked).await),
        Ok(None) => Ok(payee),
        // Of what one may ask nothing is left: it is paid like any of whom nothing is known.
        Err(Error::Storage(storage)) if storage.constraint() == Some(BUDGET) => Ok(payee),
        Err(error) => Err(error),
    }
}

async fn claim(state: &State, owner: &Subject, payee: PayeeId) -> Result<Option<i32>, Error> {
    storage::subject_transaction(&state.pool, "payees.check", owner.as_str(), async |db| {
        Ok(checks::claim(db, owner, payee).await?)
    })
    .await
}

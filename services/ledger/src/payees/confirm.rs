//! Confirmation of payee: whether the account belongs to the name, asked of whoever keeps the account, through the broker.
//!
//! That it is asked is written down first, in a transaction that counts ([`store::checks`]); then somebody is asked, with no transaction open; then the word is stored,
//! in one of its own. So each payee is asked about once, whatever is repeated and whoever is lost, and a partner that hangs holds nothing of the database.

use super::store::checks::{self, Check};
use super::store::{self, Payee};
use super::word::Told;
use crate::error::{Error, Resource};
use crate::ids::{PayeeId, Subject};
use crate::state::State;

/// The database's words for having asked as much as one may.
pub(super) const BOUNDS: [&str; 2] = ["payee_checks_within_the_budget", "payee_checks_within_the_ceiling"];
/// The database's word for a payee that is removed by now.
const NOBODY: &str = "payee_check_of_a_payee";

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
            tracing::error!(cause = %error, payee = %payee.id, "what was said of a payee's name is not stored");
            // Whoever asked is told all the same, and acts on it; for everybody else it is being asked.
            Payee { check: Some(Check::of(told, state.clock.unix_millis())), ..payee }
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
        // Somebody else is asking at this moment, or has just been told.
        Ok(None) => again(state, owner, payee.id).await,
        // Of what one may ask nothing is left: it is paid like any of whom nothing is known. Or it was removed meanwhile, which the posting says.
        Err(Error::Storage(storage)) if storage.constraint().is_some_and(is_no_question) => Ok(payee),
        Err(error) => Err(error),
    }
}

fn is_no_question(constraint: &str) -> bool {
    constraint == NOBODY || BOUNDS.contains(&constraint)
}

async fn claim(state: &State, owner: &Subject, payee: PayeeId) -> Result<Option<i32>, Error> {
    storage::subject_transaction(&state.pool, "payees.check", owner.as_str(), async |db| {
        Ok(checks::claim(db, owner, payee).await?)
    })
    .await
}

async fn again(state: &State, owner: &Subject, payee: PayeeId) -> Result<Payee, Error> {
    storage::subject_transaction(&state.pool, "payees.check", owner.as_str(), async |db| {
        store::find(db, owner, payee).await?.ok_or(Error::Missing(Resource::Payee))
    })
    .await
}

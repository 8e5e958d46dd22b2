//! Adds a payee. The id is made of the owner and the key, so that a repetition adds nothing.

use api::payees::PostPayee;
use api::text::CREDITOR_NAME;

use super::store::{self, NewPayee, Payee, checks};
use super::{confirm, iban};
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{IdempotencyKey, PayeeId, Subject};
use crate::input;
use crate::posting::Fingerprint;
use crate::state::State;

/// The payee, as it is now, and what is said of its name. At a limit, or while another one has the IBAN, nothing is stored: the payee itself is the only outcome of its key, and may
/// still come to be when another one has been removed.
pub async fn add(
    state: &State,
    owner: &Subject,
    key: &IdempotencyKey,
    request: &PostPayee,
) -> Result<Idempotent<Payee>, Error> {
    let name = input::text("name", &request.name, 1, CREDITOR_NAME)?;
    if !iban::is_valid(&request.iban) {
        return Err(Error::Field { field: "iban", problem: "is not an IBAN" });
    }
    let cooling_off_seconds = state.new_payees.cooling_off_seconds;
    let payee = NewPayee { id: id(owner, key), owner, name, iban: &request.iban, cooling_off_seconds };
    let added = storage::subject_transaction(&state.pool, "payees.add", owner.as_str(), async |db| {
        let added = store::insert(db, &payee).await?;
        // With the payee or not at all: so there is one check of it, and none that is not counted.
        let asked = if added > 0 && state.names.is_some() { checks::claim(db, owner, payee.id).await? } else { None };
        let result = store::find(db, owner, payee.id).await?.ok_or(Error::KeyReused)?;
        Ok((Idempotent { result, replayed: added == 0 }, asked))
    });
    let (added, asked) = added.await.map_err(refused)?;
    if added.result.name != name || added.result.iban != request.iban {
        return Err(Error::KeyReused);
    }
    if !added.replayed {
        runtime::audit!("payee", outcome = "added", payee = %payee.id);
    }
    match asked {
        Some(asked) => Ok(Idempotent { result: confirm::ask(state, owner, added.result, asked).await, ..added }),
        None => Ok(added),
    }
}

/// The database's word, in the answers of this service.
fn refused(error: Error) -> Error {
    match error {
        Error::Storage(storage) if storage.constraint() == Some("payees_within_the_ceiling") => Error::PayeeLimit,
        Error::Storage(storage) if storage.constraint() == Some("payees_live") => Error::PayeeExists,
        Error::Storage(storage) if storage.constraint().is_some_and(|name| confirm::BOUNDS.contains(&name)) => {
            Error::PayeeCheckLimit
        }
        other => other,
    }
}

fn id(owner: &Subject, key: &IdempotencyKey) -> PayeeId {
    PayeeId::from_bytes(Fingerprint::of(&[b"payee", owner.as_str().as_bytes(), key.as_str().as_bytes()]).id())
}

//! Opens an account. The id is made of the owner and the key, so that a repetition opens nothing.

use api::accounts::OpenAccount;
use api::text::ACCOUNT_NAME;
use chrono::DateTime;
use money::Currency;

use super::store::{self, Account};
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::{AccountId, IdempotencyKey, Subject};
use crate::input;
use crate::posting::Fingerprint;
use crate::state::State;

/// The account. At the limit of open accounts nothing is stored: the account itself is the only outcome
/// of its key, and may still come to be when another one has been closed.
pub async fn open(
    state: &State,
    owner: &Subject,
    key: &IdempotencyKey,
    request: &OpenAccount,
) -> Result<Idempotent<Account>, Error> {
    let problem = "is not a supported ISO 4217 code";
    let currency: Currency = request.currency.parse().map_err(|_| Error::Field { field: "currency", problem })?;
    let name = input::text("name", &request.name, 1, ACCOUNT_NAME)?;
    let opened_at = DateTime::from_timestamp_millis(state.clock.unix_millis());
    let opened_at = opened_at.ok_or(Error::Invariant("a clock beyond the calendar"))?;
    let account = store::NewAccount { id: id(owner, key), currency: currency.code(), owner, name, opened_at };
    let opened = storage::subject_transaction(&state.pool, "accounts.open", owner.as_str(), async |db| {
        let opened = store::insert(db, std::slice::from_ref(&account)).await?;
        let row = store::find(db, owner, account.id).await?.ok_or(Error::KeyReused)?;
        // Counting has locked the owner's row: until this transaction ends nobody else opens one.
        if opened > 0 && store::count_open(db, owner).await? > i64::from(state.max_accounts) {
            return Err(Error::AccountLimit);
        }
        Ok(Idempotent { result: row, replayed: opened == 0 })
    })
    .await
    .map_err(ceiling)?;
    // Compared with what was asked, not with what became of the account since.
    if opened.result.currency.0 != currency || opened.result.name != name {
        return Err(Error::KeyReused);
    }
    Ok(opened)
}

/// The database's own ceiling is a limit like ours.
fn ceiling(error: Error) -> Error {
    match error {
        Error::Storage(storage) if storage.constraint() == Some("accounts_within_the_ceiling") => Error::AccountLimit,
        other => other,
    }
}

fn id(owner: &Subject, key: &IdempotencyKey) -> AccountId {
    AccountId::from_bytes(Fingerprint::of(&[b"account", owner.as_str().as_bytes(), key.as_str().as_bytes()]).id())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_owner_and_key_name_one_account() {
        let id = |owner, key| Uuid::from(id(&Subject::of(owner), &IdempotencyKey::of(key)));
        assert_eq!(id("alice", "k"), id("alice", "k"));
        assert_ne!(id("alice", "k"), id("bob", "k"));
        assert_ne!(id("alice", "k"), id("alic", "ek"));
        assert_eq!(id("alice", "k").get_version_num(), 8);
    }
}

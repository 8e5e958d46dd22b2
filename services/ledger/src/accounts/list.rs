//! A page of an owner's accounts, oldest first.

use api::accounts::AccountPage;
use api::page::PageQuery;
use chrono::{DateTime, Utc};

use super::store::{self, Account};
use crate::error::Error;
use crate::ids::{AccountId, Subject};
use crate::page::{NOT_A_CURSOR, PageRequest};
use crate::state::State;

/// Microseconds of the opening, as PostgreSQL keeps it, and the id: two accounts may have been opened at one moment.
const KEY: usize = 24;

pub async fn list(state: &State, owner: &Subject, query: &PageQuery) -> Result<AccountPage, Error> {
    let wanted = PageRequest::<KEY>::read(query)?;
    let after = wanted.after.map(position).transpose()?;
    let mut rows = storage::subject_transaction(&state.pool, "accounts.list", owner.as_str(), async |db| {
        Ok::<_, Error>(store::list(db, owner, after, wanted.rows()).await?)
    })
    .await?;
    let next = wanted.cut(&mut rows, key);
    let accounts = rows.into_iter().map(Account::wire).collect();
    Ok(AccountPage { accounts, next })
}

fn key(account: &Account) -> [u8; KEY] {
    let mut key = [0; KEY];
    let (at, id) = key.split_at_mut(8);
    at.copy_from_slice(&account.opened_at.timestamp_micros().to_be_bytes());
    id.copy_from_slice(account.id.as_bytes());
    key
}

fn position(key: [u8; KEY]) -> Result<(DateTime<Utc>, AccountId), Error> {
    let (at, id) = key.split_first_chunk::<8>().ok_or(NOT_A_CURSOR)?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at)).ok_or(NOT_A_CURSOR)?;
    Ok((at, AccountId::from_bytes(id.try_into().map_err(|_| NOT_A_CURSOR)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_to_the_microsecond() {
        let account = Account {
            id: AccountId::from_bytes([7; 16]),
            name: String::new(),
            currency: storage::AsText(money::Currency::EUR),
            balance: 0,
            version: 0,
            opened_at: DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap(),
        };
        assert_eq!(position(key(&account)).unwrap(), (account.opened_at, account.id));
        // PostgreSQL's calendar is smaller than 64 bits of microseconds.
        assert!(position([0x7f; KEY]).is_err());
    }
}

//! A page of an owner's accounts, oldest first.

use api::accounts::AccountPage;
use api::page::PageQuery;

use super::store::{self, Account};
use crate::error::Error;
use crate::ids::{AccountId, Subject};
use crate::page::{BY_TIME, PageRequest, time_key, time_position};
use crate::state::State;

pub async fn list(state: &State, owner: &Subject, query: &PageQuery) -> Result<AccountPage, Error> {
    let wanted = PageRequest::<BY_TIME>::read(query)?;
    let after = wanted.after.map(time_position).transpose()?.map(|(at, id)| (at, AccountId::from_bytes(id)));
    let mut rows = storage::subject_transaction(&state.pool, "accounts.list", owner.as_str(), async |db| {
        Ok::<_, Error>(store::list(db, owner, after, wanted.rows()).await?)
    })
    .await?;
    let next = wanted.cut(&mut rows, |account| time_key(account.opened_at, account.id.as_bytes()));
    let accounts = rows.into_iter().map(Account::wire).collect();
    Ok(AccountPage { accounts, next })
}

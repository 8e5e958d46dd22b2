//! A page of an account's entries, newest first.

use api::accounts::EntryPage;
use api::page::PageQuery;

use super::store;
use crate::error::{Error, Resource};
use crate::ids::{AccountId, Subject};
use crate::page::PageRequest;
use crate::state::State;

/// One page. The cursor is the version of the last entry on the page before.
pub async fn page(state: &State, owner: &Subject, account: AccountId, query: &PageQuery) -> Result<EntryPage, Error> {
    let wanted = PageRequest::read(query)?;
    let before = wanted.after.map(i64::from_be_bytes);
    let mut lines = storage::subject_transaction(&state.pool, "entries.page", owner.as_str(), async |db| {
        store::find(db, owner, account).await?.ok_or(Error::Missing(Resource::Account))?;
        Ok::<_, Error>(store::lines(db, account, before, wanted.rows()).await?)
    })
    .await?;
    let next = wanted.cut(&mut lines, |line| line.version.to_be_bytes());
    let entries = lines.into_iter().map(store::Line::wire).collect();
    Ok(EntryPage { entries, next })
}

//! A page of an account's entries, newest first.

use api::accounts::{EntryPage, EntryQuery};
use uuid::Uuid;

use super::store;
use crate::error::{Error, Resource};
use crate::state::State;

/// Entries of a page unless the query says otherwise, and at most.
const DEFAULT: u32 = 50;
const MAX: u32 = 100;

/// One page. The cursor is the version of the last entry on the page before.
pub async fn page(state: &State, owner: &str, account: Uuid, query: &EntryQuery) -> Result<EntryPage, Error> {
    let limit = query.limit.unwrap_or(DEFAULT);
    if !(1..=MAX).contains(&limit) {
        return Err(Error::Field { field: "limit", problem: "is not between 1 and 100" });
    }
    let before = query.before.as_deref().map(position).transpose()?;
    let mut lines = storage::subject_transaction(&state.pool, "entries.page", owner, async |db| {
        store::find(db, owner, account).await?.ok_or(Error::Missing(Resource::Account))?;
        // One more than asked for tells whether there is a next page.
        Ok::<_, Error>(store::lines(db, account, before, i64::from(limit) + 1).await?)
    })
    .await?;
    let more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    let next = lines.last().filter(|_| more).map(|line| crypto::b64::encode(&line.version.to_be_bytes()));
    let entries = lines.into_iter().map(store::Line::wire).collect::<Result<_, _>>()?;
    Ok(EntryPage { entries, next })
}

fn position(cursor: &str) -> Result<i64, Error> {
    let bytes = crypto::b64::decode(cursor).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(i64::from_be_bytes).ok_or(Error::Field { field: "before", problem: "is not a cursor of this API" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nothing_else_is_one() {
        assert_eq!(position(&crypto::b64::encode(&7_i64.to_be_bytes())).unwrap(), 7);
        for bad in ["", "7", "AAAA", "AAAAAAAAAAA=", "' or 1=1"] {
            assert!(position(bad).is_err(), "{bad}");
        }
    }
}

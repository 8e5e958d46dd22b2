//! What waits in suspense, or has waited, page by page.

use api::internal::{SuspensePage, SuspenseQuery};
use uuid::Uuid;

use super::store::{self, Item};
use crate::error::Error;
use crate::state::State;

/// Items of a page, unless the query says otherwise.
const PAGE: u32 = 50;
/// Items of a page at most.
const MAX_PAGE: u32 = 100;

/// One page, oldest first.
pub async fn page(state: &State, query: &SuspenseQuery) -> Result<SuspensePage, Error> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Error::Field { field: "limit", problem: "is not between 1 and 100" });
    }
    let mut db = storage::connection(&state.poster).await?;
    let after = query.after.unwrap_or(Uuid::nil());
    // One more than asked for tells whether there is a next page.
    let mut rows = store::list(&mut db, query.state, after, i64::from(limit) + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|item| item.id);
    Ok(SuspensePage { items: rows.into_iter().map(Item::wire).collect::<Result<_, _>>()?, next })
}

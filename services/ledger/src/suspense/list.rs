//! What waits in suspense, or has waited, page by page.

use api::internal::{SuspensePage, SuspenseQuery};
use api::page::PageQuery;

use super::store::{self, Item};
use crate::error::Error;
use crate::ids::ItemId;
use crate::page::PageRequest;
use crate::state::State;

/// One page, oldest first.
pub async fn page(state: &State, query: &SuspenseQuery) -> Result<SuspensePage, Error> {
    let wanted = PageRequest::read(&PageQuery { limit: query.limit, after: query.after.clone() })?;
    let mut db = storage::connection(&state.poster).await?;
    // Default: after the nil id: the first page.
    let after = ItemId::from_bytes(wanted.after.unwrap_or_default());
    let mut rows = store::list(&mut db, query.state, after, wanted.rows()).await?;
    let next = wanted.cut(&mut rows, |item| *item.id.as_bytes());
    Ok(SuspensePage { items: rows.into_iter().map(Item::wire).collect(), next })
}

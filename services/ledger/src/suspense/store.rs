//! Queries on `suspense_items`, as `ledger_poster`. Its rows are written by the statements of a posting.

use api::internal::{SuspenseItem, SuspenseState};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, StorageError};
use uuid::Uuid;

use crate::accounts::store::currency;
use crate::error::Error;
use crate::input::{time, wire};
use crate::schema::{suspense_items as items, transfers};

/// An item, with the texts of the transfer that took it to suspense.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Item {
    pub(super) id: Uuid,
    pub(super) provider: String,
    pub(super) event_id: String,
    pub(super) wanted_account: Uuid,
    pub(super) reason: String,
    amount: i64,
    pub(super) currency: String,
    received_at: DateTime<Utc>,
    pub(super) allocated_by: Option<Uuid>,
    pub(super) reference: String,
    pub(super) counterparty: String,
}

impl Item {
    /// The amount as a type.
    pub(super) fn money(&self) -> Result<Money, Error> {
        Ok(Money::new(self.amount, currency(&self.currency)?))
    }

    /// As it travels.
    pub(super) fn wire(self) -> Result<SuspenseItem, Error> {
        Ok(SuspenseItem {
            id: self.id,
            amount: wire(self.money()?),
            provider: self.provider,
            event_id: self.event_id,
            wanted_account: self.wanted_account,
            reason: self.reason,
            debtor_name: self.counterparty,
            reference: self.reference,
            received_at: time(self.received_at),
            allocated_by: self.allocated_by,
        })
    }
}

macro_rules! all_items {
    () => {
        items::table.inner_join(transfers::table.on(transfers::id.eq(items::id))).select((
            items::id,
            items::provider,
            items::event_id,
            items::wanted_account,
            items::reason,
            items::amount,
            items::currency,
            items::received_at,
            items::allocated_by,
            transfers::reference,
            transfers::counterparty,
        ))
    };
}

/// One item.
pub(super) async fn find(db: &mut Connection, id: Uuid) -> Result<Option<Item>, StorageError> {
    Ok(all_items!().filter(items::id.eq(id)).first(db).await.optional()?)
}

/// Items after one, oldest first: ids sort by time.
pub(super) async fn list(
    db: &mut Connection,
    state: SuspenseState,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Item>, StorageError> {
    let query = all_items!().filter(items::id.gt(after)).order(items::id).limit(limit);
    Ok(match state {
        SuspenseState::Open => query.filter(items::allocated_by.is_null()).load(db).await?,
        SuspenseState::Allocated => query.filter(items::allocated_by.is_not_null()).load(db).await?,
    })
}

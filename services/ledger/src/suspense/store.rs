//! Queries on `suspense_items`, as `ledger_poster`, and what is written there beside a posting.

use api::internal::{SuspenseItem, SuspenseState};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, StorageError, row};

use crate::ids::{AccountId, EventId, ItemId, TransferId};
use crate::input::{time, wire};
use crate::posting::{Beside, Broken, Posting, Reason, Rows};
use crate::schema::{suspense_items as items, transfers};

/// An item, with the texts of the transfer that took it to suspense.
#[derive(Debug, Clone, Queryable)]
pub(super) struct Item {
    pub(super) id: ItemId,
    pub(super) provider: String,
    pub(super) event_id: EventId,
    pub(super) wanted_account: AccountId,
    pub(super) reason: String,
    amount: i64,
    pub(super) currency: AsText<Currency>,
    received_at: DateTime<Utc>,
    pub(super) allocated_by: Option<TransferId>,
    pub(super) reference: String,
    pub(super) counterparty: String,
}

impl Item {
    /// The amount as a type.
    pub(super) fn money(&self) -> Money {
        Money::new(self.amount, self.currency.0)
    }

    /// As it travels.
    pub(super) fn wire(self) -> SuspenseItem {
        SuspenseItem {
            id: self.id.into(),
            amount: wire(self.money()),
            provider: self.provider,
            event_id: self.event_id.to_string(),
            wanted_account: self.wanted_account.into(),
            reason: self.reason,
            debtor_name: self.counterparty,
            reference: self.reference,
            received_at: time(self.received_at),
            allocated_by: self.allocated_by.map(Into::into),
        }
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

pub(super) async fn find(db: &mut Connection, id: ItemId) -> Result<Option<Item>, StorageError> {
    Ok(all_items!().filter(items::id.eq(id)).first(db).await.optional()?)
}

/// Items after one, oldest first: ids sort by time.
pub(super) async fn list(
    db: &mut Connection,
    state: SuspenseState,
    after: ItemId,
    limit: i64,
) -> Result<Vec<Item>, StorageError> {
    let query = all_items!().filter(items::id.gt(after)).order(items::id).limit(limit);
    Ok(match state {
        SuspenseState::Open => query.filter(items::allocated_by.is_null()).load(db).await?,
        SuspenseState::Allocated => query.filter(items::allocated_by.is_not_null()).load(db).await?,
    })
}

/// The event that told of money that has arrived; kept with the money if it goes to suspense.
#[derive(Debug)]
pub struct Arrival {
    pub provider: String,
    pub event_id: EventId,
}

row! {
    /// Why money is in suspense, beside the transfer that took it there.
    NewItem at 30: "insert into suspense_items (id, provider, event_id, wanted_account, reason, amount, currency, received_at) \
              select t.id, r.provider, r.event_id, r.wanted_account, r.reason, t.amount, t.currency, t.posted_at from" {
        id: ItemId, provider: String, event_id: EventId, wanted_account: AccountId, reason: &'static str,
    } "join transfers t on t.id = r.id"
}

impl Beside for Arrival {
    fn rows(&self, _: &Posting<'_>, _: &mut Rows) -> Result<(), Broken> {
        Ok(())
    }

    fn suspended(&self, posting: &Posting<'_>, why: Reason, rows: &mut Rows) -> Result<(), Broken> {
        let wanted = posting.order.command.to().ok_or(Broken("money for suspense that was meant for nobody"))?;
        rows.add(NewItem {
            id: posting.id.into(),
            provider: self.provider.clone(),
            event_id: self.event_id.clone(),
            wanted_account: wanted.account,
            reason: why.into(),
        })
    }
}

/// Money in suspense that goes to its owner.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) item: ItemId,
}

row! {
    /// Which transfer took money out of suspense.
    Allocated at 31: "update suspense_items i set allocated_by = r.transfer_id from" {
        id: ItemId, transfer_id: TransferId,
    } "where i.id = r.id and i.allocated_by is null"
}

impl Beside for Allocation {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        rows.add(Allocated { id: self.item, transfer_id: posting.id })
    }
}

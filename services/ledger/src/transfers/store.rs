//! Queries on `transfers`, as `ledger_app`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, StorageError};

use crate::ids::{AccountId, TransferId};
use crate::input::{time, wire};
use crate::schema::transfers;

/// A transfer as either side sees it.
#[derive(Debug, Queryable, Selectable)]
pub(crate) struct Transfer {
    id: TransferId,
    sequence: i64,
    amount: i64,
    posted_at: DateTime<Utc>,
    from_account: AccountId,
    to_account: AccountId,
    currency: AsText<Currency>,
    reference: String,
}

impl Transfer {
    pub(crate) fn wire(self) -> api::transfers::Transfer {
        api::transfers::Transfer {
            id: self.id.into(),
            sequence: self.sequence,
            from_account: self.from_account.into(),
            to_account: self.to_account.into(),
            amount: wire(Money::new(self.amount, self.currency.0)),
            reference: self.reference,
            posted_at: time(self.posted_at),
        }
    }
}

/// A transfer that the transaction's subject is part of: row-level security shows no other.
pub(crate) async fn find(db: &mut Connection, id: TransferId) -> Result<Option<Transfer>, StorageError> {
    Ok(transfers::table.find(id).select(Transfer::as_select()).first(db).await.optional()?)
}

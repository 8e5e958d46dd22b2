//! Queries on `accounts` and `entries`, as `ledger_app`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use money::{Currency, Money};
use storage::{AsText, Connection, StorageError};

use crate::ids::{AccountId, Subject, TransferId};
use crate::input::{time, wire};
use crate::schema::{accounts, entries, owners, transfers};

/// An account as its owner sees it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = accounts)]
pub struct Account {
    pub id: AccountId,
    /// The owner's name for it.
    pub name: String,
    /// ISO 4217.
    pub currency: AsText<Currency>,
    /// Minor units.
    pub balance: i64,
    /// Entries so far.
    pub version: i64,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
}

impl Account {
    /// Its balance.
    pub fn money(&self) -> Money {
        Money::new(self.balance, self.currency.0)
    }

    /// As it travels.
    pub fn wire(self) -> api::accounts::Account {
        api::accounts::Account {
            id: self.id.into(),
            balance: wire(self.money()),
            name: self.name,
            version: self.version,
            opened_at: time(self.opened_at),
        }
    }
}

/// An account to open. What is not here gets the table's defaults: the role may not set it.
#[derive(Debug, Insertable)]
#[diesel(table_name = accounts)]
pub(crate) struct NewAccount<'a> {
    pub(crate) id: AccountId,
    pub(crate) currency: &'a str,
    pub(crate) owner: &'a Subject,
    pub(crate) name: &'a str,
    pub(crate) opened_at: DateTime<Utc>,
}

/// One line of a statement.
#[derive(Debug, Queryable)]
pub(crate) struct Line {
    pub(crate) version: i64,
    transfer_id: TransferId,
    amount: i64,
    balance: i64,
    currency: AsText<Currency>,
    kind: String,
    reference: String,
    posted_at: DateTime<Utc>,
}

impl Line {
    pub(crate) fn wire(self) -> api::accounts::Entry {
        let AsText(currency) = self.currency;
        api::accounts::Entry {
            version: self.version,
            transfer_id: self.transfer_id.into(),
            kind: self.kind,
            amount: wire(Money::new(self.amount, currency)),
            balance: wire(Money::new(self.balance, currency)),
            reference: self.reference,
            posted_at: time(self.posted_at),
        }
    }
}

/// Opens accounts that are not there yet; tells how many.
pub(crate) async fn insert(db: &mut Connection, rows: &[NewAccount<'_>]) -> Result<usize, StorageError> {
    Ok(diesel::insert_into(accounts::table).values(rows).on_conflict_do_nothing().execute(db).await?)
}

/// How many open accounts this owner has, by the count that the database keeps.
pub(crate) async fn count_open(db: &mut Connection, owner: &Subject) -> Result<i64, StorageError> {
    let count: i32 = owners::table.find(owner).select(owners::accounts).first(db).await?;
    Ok(i64::from(count))
}

/// One account of this owner.
pub(crate) async fn find(db: &mut Connection, owner: &Subject, id: AccountId) -> Result<Option<Account>, StorageError> {
    let query = accounts::table.filter(accounts::id.eq(id)).filter(accounts::owner.eq(owner));
    Ok(query.select(Account::as_select()).first(db).await.optional()?)
}

/// Accounts of this owner after a position in the order of their opening.
pub(crate) async fn list(
    db: &mut Connection,
    owner: &Subject,
    after: Option<(DateTime<Utc>, AccountId)>,
    limit: i64,
) -> Result<Vec<Account>, StorageError> {
    let mut query = accounts::table.filter(accounts::owner.eq(owner)).into_boxed();
    if let Some((at, id)) = after {
        // The first condition is what the index is entered by.
        let later = accounts::opened_at.gt(at).or(accounts::id.gt(id));
        query = query.filter(accounts::opened_at.ge(at)).filter(later);
    }
    let query = query.order((accounts::opened_at, accounts::id)).limit(limit);
    Ok(query.select(Account::as_select()).load(db).await?)
}

/// The entries of an account before a version, newest first.
pub(crate) async fn lines(
    db: &mut Connection,
    account: AccountId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Line>, StorageError> {
    let query = entries::table
        .inner_join(transfers::table.on(transfers::id.eq(entries::transfer_id)))
        .filter(entries::account_id.eq(account))
        // Default: before the end of all versions: the first page.
        .filter(entries::version.lt(before.unwrap_or(i64::MAX)))
        .order(entries::version.desc())
        .limit(limit)
        .select((
            entries::version,
            entries::transfer_id,
            entries::amount,
            entries::balance,
            entries::currency,
            transfers::kind,
            transfers::reference,
            transfers::posted_at,
        ));
    Ok(query.load(db).await?)
}

//! The one transaction that moves money: lock, read, fold, write, commit.
//!
//! Round trips, whatever the size of the batch: begin; lock the accounts and read the keys (pipelined); write; commit. An exchange or a
//! payout in the batch adds one statement each.
//!
//! Never to be merged: the locks and the key look-up are two statements, because under READ COMMITTED a statement sees what was
//! committed before *it* began, and a lock may have waited for exactly the commit that used a key.

mod rows;
mod statements;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use storage::{Connection, Pool, Retry, StorageError};

use self::rows::Rows;
use self::statements::{KeyRow, LockAccounts, LockedRow, RecordedOutcomes};
use super::batch::{Answer, Plan, Recorded};
use super::fold::State;
use super::model::{Key, Order};

/// Why a batch has no answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing was written; the database cannot be had at the moment.
    #[error("{0}")]
    Unavailable(StorageError),
    /// It may have been committed.
    #[error("{0}")]
    Unknown(StorageError),
    /// Nothing was written: the database refused a row.
    #[error("{0}")]
    Refused(StorageError),
    /// Nothing was written: a row in the database is not what this code understands.
    #[error("unexpected row: {0}")]
    Unexpected(&'static str),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Unavailable(_) | StorageError::Busy(_) => Self::Unavailable(error),
            StorageError::OutcomeUnknown(_) => Self::Unknown(error),
            StorageError::Query(DieselError::DatabaseError(DatabaseErrorKind::Unknown, ref information))
                if is_passing(information.message()) =>
            {
                Self::Unavailable(error)
            }
            StorageError::Query(_) | StorageError::Migration(_) => Self::Refused(error),
        }
    }
}

impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        StorageError::from(error).into()
    }
}

impl Retry for Failure {
    /// Two processes that used one key at the same moment: the later one reads the earlier one's outcome when it tries again.
    fn is_transient(&self) -> bool {
        matches!(self, Self::Refused(error)
            if error.is_transient() || error.constraint() == Some("idempotency_pkey"))
    }
}

/// A timeout or a server that goes down, and not a fault of any row. diesel has no kinds for them, so the text decides; in another
/// language the batch is only tried in halves before it fails.
fn is_passing(message: &str) -> bool {
    ["canceling statement", "terminating connection", "the database system is", "sorry, too many clients"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Decides and writes a batch, in one transaction.
pub(crate) async fn post(pool: &Pool, orders: &[Order], now_millis: i64) -> Result<Vec<Answer>, Failure> {
    let at = DateTime::from_timestamp_millis(now_millis).ok_or(Failure::Unexpected("the clock"))?;
    let committing = AtomicBool::new(false);
    let outcome = storage::transaction(pool, "posting.batch", async |db| {
        committing.store(false, Ordering::Relaxed);
        let answers = decide(db, orders, at).await?;
        committing.store(true, Ordering::Relaxed);
        Ok::<_, Failure>(answers)
    })
    .await;
    // Whatever goes wrong after the commit was sent, it may have arrived.
    outcome.map_err(|failure| match failure {
        Failure::Unavailable(error) | Failure::Refused(error) if committing.load(Ordering::Relaxed) => {
            Failure::Unknown(error)
        }
        other => other,
    })
}

async fn decide(db: &mut Connection, orders: &[Order], at: DateTime<Utc>) -> Result<Vec<Answer>, Failure> {
    let (mut state, recorded) = read(db, orders).await?;
    let millis = at.timestamp_millis();
    let plan = Plan::make(orders, &mut state, &recorded, || storage::ids::new(millis));
    let rows = Rows::of(&plan, orders, at)?;
    let base = rows.write(db).await?;
    Ok(plan.answers(orders, base, at))
}

async fn read(db: &Connection, orders: &[Order]) -> Result<(State, HashMap<Key, Recorded>), Failure> {
    use diesel_async::RunQueryDsl as _;

    let mut ids: Vec<_> = orders.iter().flat_map(|order| order.command.accounts()).collect();
    ids.sort_unstable();
    ids.dedup();
    let owners: Vec<&str> = orders.iter().map(|order| order.key.owner.as_str()).collect();
    let operations: Vec<&str> = orders.iter().map(|order| order.key.operation).collect();
    let keys: Vec<&str> = orders.iter().map(|order| order.key.key.as_str()).collect();
    let (mut first, mut second) = (db, db);
    let accounts = LockAccounts { ids: &ids, ..LockAccounts::default() }.load::<LockedRow>(&mut first);
    let outcomes =
        RecordedOutcomes { owners: &owners, operations: &operations, keys: &keys, ..RecordedOutcomes::default() }
            .load::<KeyRow>(&mut second);
    let (accounts, outcomes) = futures_util::try_join!(accounts, outcomes)?;
    let accounts: Vec<_> = accounts.into_iter().map(LockedRow::account).collect::<Option<_>>().ok_or(ODD_ACCOUNT)?;
    let outcomes = outcomes.into_iter().map(KeyRow::recorded).collect::<Option<_>>().ok_or(ODD_OUTCOME)?;
    Ok((State::new(accounts), outcomes))
}

const ODD_ACCOUNT: Failure = Failure::Unexpected("accounts");
const ODD_OUTCOME: Failure = Failure::Unexpected("idempotency");

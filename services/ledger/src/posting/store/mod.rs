//! The one transaction that moves money: lock, read, fold, write, commit.
//!
//! Round trips, whatever the size of the batch: begin; lock the accounts and read the keys (pipelined); write; commit. What is written beside
//! the postings ([`super::beside`]) adds one statement for each table.
//!
//! Nobody waits for an account with another one in hand: accounts that others hold are passed over, and what needs them waits elsewhere
//! ([`super::aside`]). Whoever comes back for such an account waits for it first, with nothing else in hand; so no two batches wait for each
//! other, and one held account holds up no other. Only `head` is waited for with locks in hand, and whoever holds it waits for no account.
//!
//! Never to be merged: the locks and the key look-up are two statements, because under READ COMMITTED a statement sees what was
//! committed before *it* began, and a lock may have come free by exactly the commit that used a key.

mod rows;
mod statements;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::result::Error as DieselError;
use storage::{Connection, Limit, Pool, Retry, StorageError};
use uuid::Uuid;

use self::statements::{AccountsThere, KeyRow, LockAccounts, LockFreeAccounts, LockedRow, RecordedOutcomes};
use super::batch::{Extra, Fate, Key, Order, Plan, Recorded};
use super::fold::State;
use super::model::{Account, Broken};

/// How long a batch may take. With the patience of its orders ([`super::committer`]) that is less than the callers of the ledger wait.
pub(super) const LIMIT: Limit = Limit { work: Duration::from_secs(4), commit: Duration::from_secs(2) };

/// Why a batch has no answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing was written; the database cannot be had at the moment.
    #[error("{0}")]
    Unavailable(StorageError),
    /// Nothing was written: a row that one of the orders needs is held by others.
    #[error("{0}")]
    Held(StorageError),
    /// It may have been committed.
    #[error("{0}")]
    Unknown(StorageError),
    /// Nothing was written: the database refused a row.
    #[error("{0}")]
    Refused(StorageError),
    /// Nothing was written: a row in the database is not what this code understands.
    #[error("unexpected row: {0}")]
    Unexpected(&'static str),
    /// Nothing was written: what cannot happen has happened.
    #[error("cannot happen: {0}")]
    Invariant(&'static str),
}

impl Failure {
    /// The word for it, if it was a ceiling and no fault.
    pub(crate) fn ceiling(&self, extra: &Extra) -> Option<&'static str> {
        match (self, extra) {
            (Self::Refused(error), Extra::Beside(client)) => client.ceiling(error.constraint()?),
            _ => None,
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Unavailable(_) | StorageError::Busy(_) => Self::Unavailable(error),
            StorageError::Held(_) => Self::Held(error),
            StorageError::OutcomeUnknown(_) => Self::Unknown(error),
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

impl From<Broken> for Failure {
    fn from(Broken(what): Broken) -> Self {
        Self::Invariant(what)
    }
}

/// Decides and writes a batch, in one transaction. `awaited` is an account that it waits for before anything else.
pub(crate) async fn post(
    pool: &Pool,
    orders: &[Order],
    awaited: Option<Uuid>,
    now_millis: i64,
) -> Result<Vec<Fate>, Failure> {
    let committing = AtomicBool::new(false);
    let outcome = storage::transaction_within(pool, "posting.batch", LIMIT, async |db| {
        committing.store(false, Ordering::Relaxed);
        let fates = decide(db, orders, awaited, now_millis).await?;
        committing.store(true, Ordering::Relaxed);
        Ok::<_, Failure>(fates)
    })
    .await;
    let lost = outcome.as_ref().is_err_and(Retry::is_transient);
    outcome.map_err(|failure| match failure {
        // Whatever goes wrong after the commit was sent, it may have arrived; unless the answer to it was that a row is not as it must be.
        Failure::Unavailable(error) | Failure::Held(error) if committing.load(Ordering::Relaxed) => {
            Failure::Unknown(error)
        }
        Failure::Refused(error) if committing.load(Ordering::Relaxed) && !rolls_back(&error) => Failure::Unknown(error),
        // Five times it lost against others: that is no fault of any row.
        Failure::Refused(error) if lost => Failure::Unavailable(error),
        other => other,
    })
}

/// Errors after which PostgreSQL has rolled back for certain, also as the answer to a commit: a constraint that was looked at only then (class 23),
/// a conflict with another transaction (class 40).
fn rolls_back(error: &StorageError) -> bool {
    error.sqlstate().is_some_and(|code| code.starts_with("23") || code.starts_with("40"))
}

async fn decide(
    db: &mut Connection,
    orders: &[Order],
    awaited: Option<Uuid>,
    now_millis: i64,
) -> Result<Vec<Fate>, Failure> {
    if let Some(account) = awaited {
        use diesel_async::RunQueryDsl as _;
        LockAccounts { ids: &[account], ..LockAccounts::default() }.execute(db).await?;
    }
    let Read { mut state, recorded, held } = read(db, orders).await?;
    let mut plan = Plan::make(orders, &mut state, &recorded, &held, || storage::ids::new(now_millis))?;
    let numbered = rows::write(&mut plan, db).await?;
    Ok(plan.fates(numbered)?)
}

/// What a batch is decided on.
struct Read {
    /// The accounts that are locked now.
    state: State,
    recorded: HashMap<Key, Recorded>,
    /// The accounts that are there and that others hold.
    held: HashSet<Uuid>,
}

async fn read(db: &Connection, orders: &[Order]) -> Result<Read, Failure> {
    use diesel_async::RunQueryDsl as _;

    let mut ids: Vec<_> = orders.iter().flat_map(|order| order.command.accounts()).collect();
    ids.sort_unstable();
    ids.dedup();
    let owners: Vec<&str> = orders.iter().map(|order| order.key.owner.as_str()).collect();
    let operations: Vec<&str> = orders.iter().map(|order| order.key.operation).collect();
    let keys: Vec<&str> = orders.iter().map(|order| order.key.key.as_str()).collect();
    let (mut first, mut second) = (db, db);
    let accounts = LockFreeAccounts { ids: &ids, ..LockFreeAccounts::default() }.load::<LockedRow>(&mut first);
    let outcomes =
        RecordedOutcomes { owners: &owners, operations: &operations, keys: &keys, ..RecordedOutcomes::default() }
            .load::<KeyRow>(&mut second);
    // Both answers are awaited: one that is left behind would cost the connection.
    let (accounts, outcomes) = futures_util::join!(accounts, outcomes);
    let (accounts, outcomes) = (accounts?, outcomes?);
    let accounts: Vec<_> = accounts.into_iter().map(LockedRow::account).collect::<Option<_>>().ok_or(ODD_ACCOUNT)?;
    let recorded = outcomes.into_iter().map(KeyRow::recorded).collect::<Option<_>>().ok_or(ODD_OUTCOME)?;
    let held = held_by_others(db, &ids, &accounts).await?;
    Ok(Read { state: State::new(accounts), recorded, held })
}

/// Those of the accounts that are there, and did not come when all that are free were locked.
async fn held_by_others(mut db: &Connection, ids: &[Uuid], locked: &[Account]) -> Result<HashSet<Uuid>, Failure> {
    use diesel_async::RunQueryDsl as _;

    if locked.len() == ids.len() {
        return Ok(HashSet::new());
    }
    let locked: HashSet<Uuid> = locked.iter().map(|account| account.id).collect();
    let missing: Vec<Uuid> = ids.iter().filter(|id| !locked.contains(id)).copied().collect();
    let there = AccountsThere { ids: &missing, ..AccountsThere::default() }.load::<Uuid>(&mut db).await?;
    Ok(there.into_iter().collect())
}

const ODD_ACCOUNT: Failure = Failure::Unexpected("accounts");
const ODD_OUTCOME: Failure = Failure::Unexpected("idempotency");

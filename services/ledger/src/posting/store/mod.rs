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

mod failure;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use money::Money;
use storage::{Connection, Limit, Pool, statement};

pub(crate) use self::failure::Failure;
use super::batch::{Fate, Fingerprint, Intent, Numbered, Order, Plan, Posting, Recorded};
use super::fold::Accounts;
use super::model::{Account, Entry, Outcome, Posted, Rejection};
use crate::ids::{AccountId, IdempotencyKey, Owner, Subject, TransferId};

/// How long a batch may take. With the patience of its orders ([`super::committer`]) that is less than the callers of the ledger wait.
pub(super) const LIMIT: Limit = Limit { work: Duration::from_secs(4), commit: Duration::from_secs(2) };

/// Decides and writes a batch, in one transaction. `awaited` is an account that it waits for before anything else.
pub(crate) async fn post(
    pool: &Pool,
    orders: &[Order],
    awaited: Option<AccountId>,
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
    let committing = committing.into_inner();
    outcome.map_err(|failure| failure.after(committing))
}

async fn decide(
    db: &mut Connection,
    orders: &[Order],
    awaited: Option<AccountId>,
    now_millis: i64,
) -> Result<Vec<Fate>, Failure> {
    if let Some(account) = awaited {
        LockAccounts { ids: &[account], ..LockAccounts::default() }.execute(db).await?;
    }
    let Read { mut state, recorded, held } = read(db, orders).await?;
    let mut plan = Plan::make(orders, &mut state, &recorded, &held, || storage::ids::new(now_millis).into())?;
    nothing_done_is_refused(&plan.rejections, db).await?;
    let numbered = write(&mut plan, db).await?;
    Ok(plan.fates(numbered)?)
}

/// A partner may have paid, at the expense of suspense, what its payer cannot pay (any more): that is no refusal, which would be kept for ever.
async fn nothing_done_is_refused(rejections: &[(&Order, Rejection)], mut db: &Connection) -> Result<(), Failure> {
    let names: Vec<_> = rejections.iter().filter_map(|(order, _)| order.id()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let there = TransfersThere { ids: &names, ..TransfersThere::default() }.load::<TransferId>(&mut db).await?;
    if there.is_empty() { Ok(()) } else { Err(Failure::OnTheBooks) }
}

/// What a batch is decided on.
struct Read {
    /// The accounts that are locked now.
    state: Accounts,
    recorded: HashMap<Intent, Recorded>,
    /// The accounts that are there and that others hold.
    held: HashSet<AccountId>,
}

async fn read(db: &Connection, orders: &[Order]) -> Result<Read, Failure> {
    let mut ids: Vec<_> = orders.iter().flat_map(|order| order.command.accounts()).collect();
    ids.sort_unstable();
    ids.dedup();
    let owners: Vec<_> = orders.iter().map(|order| &order.owner).collect();
    let operations: Vec<_> = orders.iter().map(Order::operation).collect();
    let keys: Vec<_> = orders.iter().map(|order| &order.key).collect();
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
    Ok(Read { state: Accounts::new(accounts), recorded, held })
}

/// Those of the accounts that are there, and did not come when all that are free were locked.
async fn held_by_others(
    mut db: &Connection,
    ids: &[AccountId],
    locked: &[Account],
) -> Result<HashSet<AccountId>, Failure> {
    if locked.len() == ids.len() {
        return Ok(HashSet::new());
    }
    let locked: HashSet<AccountId> = locked.iter().map(|account| account.id).collect();
    let missing: Vec<AccountId> = ids.iter().filter(|id| !locked.contains(id)).copied().collect();
    let there = AccountsThere { ids: &missing, ..AccountsThere::default() }.load::<AccountId>(&mut db).await?;
    Ok(there.into_iter().collect())
}

const ODD_ACCOUNT: Failure = Failure::Unexpected("accounts");
const ODD_OUTCOME: Failure = Failure::Unexpected("idempotency");

/// These rows are waited for with every account of the batch and the head in hand, so not for long: then the batch is tried in halves, and only the
/// order whose row is held is told to come back.
const PATIENCE: &str = "set local lock_timeout = '200ms'";

/// Writes what was posted, what was refused, and what goes beside; answers what the postings were given, if there are any.
async fn write(plan: &mut Plan<'_>, db: &mut Connection) -> Result<Option<Numbered>, Failure> {
    let numbered = write_main(transfers(&plan.postings)?, outcomes(plan), db).await?;
    let mut waits = false;
    for table in plan.beside.tables() {
        if table.waits() && !waits {
            db.batch_execute(PATIENCE).await?;
            waits = true;
        }
        table.write(db).await?;
    }
    Ok(numbered)
}

/// Transfers in the order of the postings, entries in that of their primary key, so that neighbors go to the same page of its index.
fn transfers<'a>(postings: &[Posting<'a>]) -> Result<WritePostings<'a>, Failure> {
    let mut rows = WritePostings::default();
    for Posting { order, id, entries, .. } in postings {
        // What was posted, which is not always what was ordered: a payee may have been replaced by suspense.
        let [from, .., to] = entries.as_slice() else {
            return Err(Failure::Invariant("a posting without two entries"));
        };
        rows.count += 1;
        rows.ids.push(*id);
        rows.amounts.push(taken(from.amount)?);
        rows.from_accounts.push(from.account);
        rows.to_accounts.push(to.account);
        rows.currencies.push(from.amount.currency().code());
        rows.kinds.push(order.command.kind.into_str());
        rows.references.push(&order.reference);
        rows.counterparties.push(&order.counterparty);
    }
    let mut entries: Vec<(TransferId, &Entry)> =
        postings.iter().flat_map(|posting| posting.entries.iter().map(move |entry| (posting.id, entry))).collect();
    entries.sort_unstable_by_key(|(_, entry)| (entry.account, entry.version));
    for (transfer, entry) in entries {
        rows.entry_accounts.push(entry.account);
        rows.entry_versions.push(entry.version);
        rows.entry_transfers.push(transfer);
        rows.entry_amounts.push(entry.amount.minor());
        rows.entry_balances.push(entry.balance.minor());
        rows.entry_currencies.push(entry.amount.currency().code());
    }
    Ok(rows)
}

fn outcomes<'a>(plan: &Plan<'a>) -> RecordOutcomes<'a> {
    let posted = plan.postings.iter().map(|posting| (posting.order, Some(posting.id), None));
    let refused = plan.rejections.iter().map(|(order, rejection)| (*order, None, Some(*rejection)));
    let mut rows = RecordOutcomes::default();
    for (order, transfer, rejection) in posted.chain(refused) {
        rows.owners.push(&order.owner);
        rows.operations.push(order.operation());
        rows.keys.push(&order.key);
        rows.fingerprints.push(&order.fingerprint.0);
        rows.transfers.push(transfer);
        rows.rejections.push(rejection.map(|rejection| rejection.reason.into()));
        rows.rejected_legs.push(rejection.map(|rejection| rejection.leg));
    }
    rows
}

/// What the debited account gave, as a positive number.
fn taken(amount: Money) -> Result<i64, Failure> {
    amount.minor().checked_neg().ok_or(Failure::Invariant("an amount without an opposite"))
}

/// Both are on their way before the first answers, and both answers are awaited: one that is left behind would cost the connection.
async fn write_main(
    postings: WritePostings<'_>,
    outcomes: RecordOutcomes<'_>,
    db: &Connection,
) -> Result<Option<Numbered>, DieselError> {
    let (mut first, mut second) = (db, db);
    let posting = async {
        if postings.ids.is_empty() {
            return Ok::<_, DieselError>(None);
        }
        let (base, at) = postings.get_result::<(i64, DateTime<Utc>)>(&mut first).await?;
        Ok(Some(Numbered { base, at }))
    };
    let recording = async {
        if outcomes.keys.is_empty() {
            return Ok(0);
        }
        outcomes.execute(&mut second).await
    };
    let (numbered, recorded) = futures_util::join!(posting, recording);
    let numbered = numbered?;
    recorded?;
    Ok(numbered)
}

statement! {
    /// Locks accounts that nobody else holds, and reads them.
    LockFreeAccounts -> (SqlUuid, Nullable<Text>, Text, Text, BigInt, BigInt, BigInt, Bool, Bool) {
        "select id, owner, purpose, currency, balance, floor, version, closed, stopped from lock_free_accounts("
        ids: Array<SqlUuid> = &'a [AccountId],
    } ")"
}

statement! {
    /// Which of these accounts there are, whoever holds them.
    AccountsThere -> SqlUuid {
        "select accounts_there("
        ids: Array<SqlUuid> = &'a [AccountId],
    } ")"
}

statement! {
    /// Which of these transfers there are.
    TransfersThere -> SqlUuid {
        "select id from transfers where id = any("
        ids: Array<SqlUuid> = &'a [TransferId],
    } ")"
}

statement! {
    /// Waits for accounts, in the order of their ids, and locks them.
    LockAccounts -> () {
        "select from lock_accounts("
        ids: Array<SqlUuid> = &'a [AccountId],
    } ")"
}

statement! {
    /// What became of these keys, if they were used.
    RecordedOutcomes -> (Text, Text, Text, Bytea, Nullable<SqlUuid>, Nullable<Text>, Nullable<SmallInt>, Nullable<BigInt>, Nullable<Timestamptz>) {
        "select owner, operation, key, fingerprint, transfer_id, rejection, rejected_leg, sequence, posted_at from recorded_outcomes("
        owners: Array<Text> = &'a [&'a Owner],
        ", " operations: Array<Text> = &'a [&'a str],
        ", " keys: Array<Text> = &'a [&'a IdempotencyKey],
    } ")"
}

statement! {
    /// Takes numbers and the time, writes transfers and entries, announces the range; answers the number before the first, and the time.
    WritePostings -> (BigInt, Timestamptz) {
        "with taken as (update head set sequence = sequence + " count: BigInt = i64,
        " returning sequence - $1 as base, posted_at), announced as ( \
             insert into outbox (first_sequence, last_sequence, committed_at) select base + 1, base + $1, posted_at from taken), posted as ( \
             insert into transfers \
                 (id, sequence, amount, posted_at, from_account, to_account, currency, kind, reference, counterparty) \
             select t.id, taken.base + t.n, t.amount, taken.posted_at, t.from_account, t.to_account, t.currency, t.kind, t.reference, t.counterparty \
             from taken, unnest(" ids: Array<SqlUuid> = Vec<TransferId>,
        ", " amounts: Array<BigInt> = Vec<i64>,
        ", " from_accounts: Array<SqlUuid> = Vec<AccountId>,
        ", " to_accounts: Array<SqlUuid> = Vec<AccountId>,
        ", " currencies: Array<Text> = Vec<&'static str>,
        ", " kinds: Array<Text> = Vec<&'static str>,
        ", " references: Array<Text> = Vec<&'a str>,
        ", " counterparties: Array<Text> = Vec<&'a str>,
        ") with ordinality as t (id, amount, from_account, to_account, currency, kind, reference, counterparty, n)), booked as ( \
             insert into entries (account_id, version, transfer_id, amount, balance, currency) \
             select * from unnest(" entry_accounts: Array<SqlUuid> = Vec<AccountId>,
        ", " entry_versions: Array<BigInt> = Vec<i64>,
        ", " entry_transfers: Array<SqlUuid> = Vec<TransferId>,
        ", " entry_amounts: Array<BigInt> = Vec<i64>,
        ", " entry_balances: Array<BigInt> = Vec<i64>,
        ", " entry_currencies: Array<Text> = Vec<&'static str>,
    } ")) select base, posted_at from taken"
}

statement! {
    /// Writes what became of keys.
    RecordOutcomes -> () {
        "insert into idempotency (decided_at, owner, operation, key, fingerprint, transfer_id, rejection, rejected_leg) \
         select statement_timestamp(), o.* from unnest(" owners: Array<Text> = Vec<&'a Owner>,
        ", " operations: Array<Text> = Vec<&'static str>,
        ", " keys: Array<Text> = Vec<&'a IdempotencyKey>,
        ", " fingerprints: Array<Bytea> = Vec<&'a [u8]>,
        ", " transfers: Array<Nullable<SqlUuid>> = Vec<Option<TransferId>>,
        ", " rejections: Array<Nullable<Text>> = Vec<Option<&'static str>>,
        ", " rejected_legs: Array<Nullable<SmallInt>> = Vec<Option<i16>>,
    } ") as o"
}

/// A row of [`LockFreeAccounts`].
#[derive(Debug, Queryable)]
struct LockedRow {
    id: AccountId,
    owner: Option<Subject>,
    purpose: String,
    currency: String,
    balance: i64,
    floor: i64,
    version: i64,
    closed: bool,
    stopped: bool,
}

impl LockedRow {
    fn account(self) -> Option<Account> {
        Some(Account {
            id: self.id,
            owner: self.owner,
            purpose: self.purpose.parse().ok()?,
            balance: Money::new(self.balance, self.currency.parse().ok()?),
            floor: self.floor,
            version: self.version,
            closed: self.closed,
            stopped: self.stopped,
        })
    }
}

/// A row of [`RecordedOutcomes`].
#[derive(Debug, Queryable)]
struct KeyRow {
    owner: Owner,
    operation: String,
    key: IdempotencyKey,
    fingerprint: Vec<u8>,
    transfer_id: Option<TransferId>,
    rejection: Option<String>,
    rejected_leg: Option<i16>,
    sequence: Option<i64>,
    posted_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    fn recorded(self) -> Option<(Intent, Recorded)> {
        let outcome = match (self.transfer_id, self.rejection) {
            (Some(id), _) => Outcome::Posted(Posted { id, sequence: self.sequence?, at: self.posted_at? }),
            (None, Some(reason)) => {
                Outcome::Rejected(Rejection { reason: reason.parse().ok()?, leg: self.rejected_leg? })
            }
            (None, None) => return None,
        };
        let intent = Intent::stored(self.owner, &self.operation, self.key)?;
        Some((intent, Recorded { fingerprint: Fingerprint(self.fingerprint.try_into().ok()?), outcome }))
    }
}

#[cfg(test)]
mod tests;

//! The statements of a posting.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use money::Money;
use storage::statement;
use uuid::Uuid;

use crate::posting::batch::{Fingerprint, Key};
use crate::posting::batch::{Outcome, Posted, Recorded};
use crate::posting::model::{Account, Kind, Purpose, Reason, Rejection};

statement! {
    /// Locks accounts that nobody else holds, and reads them.
    LockFreeAccounts -> (SqlUuid, Nullable<Text>, Text, Text, BigInt, BigInt, BigInt, Bool) {
        "select id, owner, purpose, currency, balance, floor, version, closed from lock_free_accounts("
        ids: Array<SqlUuid> = &'a [Uuid],
    } ")"
}

statement! {
    /// Which of these accounts there are, whoever holds them.
    AccountsThere -> SqlUuid {
        "select accounts_there("
        ids: Array<SqlUuid> = &'a [Uuid],
    } ")"
}

statement! {
    /// Waits for accounts, in the order of their ids, and locks them.
    LockAccounts -> () {
        "select from lock_accounts("
        ids: Array<SqlUuid> = &'a [Uuid],
    } ")"
}

statement! {
    /// What became of these keys, if they were used.
    RecordedOutcomes -> (Text, Text, Text, Bytea, Nullable<SqlUuid>, Nullable<Text>, Nullable<SmallInt>, Nullable<BigInt>, Nullable<Timestamptz>) {
        "select owner, operation, key, fingerprint, transfer_id, rejection, rejected_leg, sequence, posted_at from recorded_outcomes("
        owners: Array<Text> = &'a [&'a str],
        ", " operations: Array<Text> = &'a [&'a str],
        ", " keys: Array<Text> = &'a [&'a str],
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
             from taken, unnest(" ids: Array<SqlUuid> = Vec<Uuid>,
        ", " amounts: Array<BigInt> = Vec<i64>,
        ", " from_accounts: Array<SqlUuid> = Vec<Uuid>,
        ", " to_accounts: Array<SqlUuid> = Vec<Uuid>,
        ", " currencies: Array<Text> = Vec<&'static str>,
        ", " kinds: Array<Text> = Vec<&'static str>,
        ", " references: Array<Text> = Vec<&'a str>,
        ", " counterparties: Array<Text> = Vec<&'a str>,
        ") with ordinality as t (id, amount, from_account, to_account, currency, kind, reference, counterparty, n)), booked as ( \
             insert into entries (account_id, version, transfer_id, amount, balance, currency) \
             select * from unnest(" entry_accounts: Array<SqlUuid> = Vec<Uuid>,
        ", " entry_versions: Array<BigInt> = Vec<i64>,
        ", " entry_transfers: Array<SqlUuid> = Vec<Uuid>,
        ", " entry_amounts: Array<BigInt> = Vec<i64>,
        ", " entry_balances: Array<BigInt> = Vec<i64>,
        ", " entry_currencies: Array<Text> = Vec<&'static str>,
    } ")) select base, posted_at from taken"
}

statement! {
    /// Writes what became of keys.
    RecordOutcomes -> () {
        "insert into idempotency (decided_at, owner, operation, key, fingerprint, transfer_id, rejection, rejected_leg) \
         select statement_timestamp(), o.* from unnest(" owners: Array<Text> = Vec<&'a str>,
        ", " operations: Array<Text> = Vec<&'static str>,
        ", " keys: Array<Text> = Vec<&'a str>,
        ", " fingerprints: Array<Bytea> = Vec<&'a [u8]>,
        ", " transfers: Array<Nullable<SqlUuid>> = Vec<Option<Uuid>>,
        ", " rejections: Array<Nullable<Text>> = Vec<Option<&'static str>>,
        ", " rejected_legs: Array<Nullable<SmallInt>> = Vec<Option<i16>>,
    } ") as o"
}

/// A row of [`LockFreeAccounts`].
#[derive(Debug, Queryable)]
pub(super) struct LockedRow {
    id: Uuid,
    owner: Option<String>,
    purpose: String,
    currency: String,
    balance: i64,
    floor: i64,
    version: i64,
    closed: bool,
}

impl LockedRow {
    pub(super) fn account(self) -> Option<Account> {
        Some(Account {
            id: self.id,
            owner: self.owner,
            purpose: Purpose::from_text(&self.purpose)?,
            balance: Money::new(self.balance, self.currency.parse().ok()?),
            floor: self.floor,
            version: self.version,
            closed: self.closed,
        })
    }
}

/// A row of [`RecordedOutcomes`].
#[derive(Debug, Queryable)]
pub(super) struct KeyRow {
    owner: String,
    operation: String,
    key: String,
    fingerprint: Vec<u8>,
    transfer_id: Option<Uuid>,
    rejection: Option<String>,
    rejected_leg: Option<i16>,
    sequence: Option<i64>,
    posted_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    pub(super) fn recorded(self) -> Option<(Key, Recorded)> {
        let outcome = match (self.transfer_id, self.rejection) {
            (Some(id), _) => Outcome::Posted(Posted { id, sequence: self.sequence?, at: self.posted_at? }),
            (None, Some(reason)) => {
                Outcome::Rejected(Rejection { reason: Reason::from_text(&reason)?, leg: self.rejected_leg? })
            }
            (None, None) => return None,
        };
        let key = Key { owner: self.owner, operation: Kind::operation_from_text(&self.operation)?, key: self.key };
        Some((key, Recorded { fingerprint: Fingerprint(self.fingerprint.try_into().ok()?), outcome }))
    }
}

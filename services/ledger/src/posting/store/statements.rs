//! The statements of a posting.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Date, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use money::Money;
use storage::statement;
use uuid::Uuid;

use crate::posting::batch::{Outcome, Posted, Recorded};
use crate::posting::model::{Account, Kind, Purpose, Reason, Rejection};
use crate::posting::order::{Fingerprint, Key};

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

statement! {
    /// Writes the quotes of exchanges.
    WriteExchanges -> () {
        "insert into exchanges (transfer_id, bought, bought_currency, rate, rate_date, rate_source) \
         select e.transfer_id, e.bought, e.bought_currency, e.rate::numeric, e.rate_date, e.rate_source from unnest("
        transfers: Array<SqlUuid> = Vec<Uuid>,
        ", " bought: Array<BigInt> = Vec<i64>,
        ", " bought_currencies: Array<Text> = Vec<&'static str>,
        ", " rates: Array<Text> = Vec<String>,
        ", " rate_dates: Array<Date> = Vec<NaiveDate>,
        ", " rate_sources: Array<Text> = Vec<&'static str>,
    } ") as e (transfer_id, bought, bought_currency, rate, rate_date, rate_source)"
}

statement! {
    /// Writes payouts that are to be submitted.
    WritePayouts -> () {
        "insert into payouts (created_at, next_attempt_at, id, account_id, owner, amount, currency, creditor_name, creditor_iban, \
             reference, traceparent, provider) select " at: Timestamptz = DateTime<Utc>,
        ", $1, p.* from unnest(" ids: Array<SqlUuid> = Vec<Uuid>,
        ", " accounts: Array<SqlUuid> = Vec<Uuid>,
        ", " owners: Array<Text> = Vec<&'a str>,
        ", " amounts: Array<BigInt> = Vec<i64>,
        ", " currencies: Array<Text> = Vec<&'static str>,
        ", " creditor_names: Array<Text> = Vec<&'a str>,
        ", " creditor_ibans: Array<Text> = Vec<&'a str>,
        ", " references: Array<Text> = Vec<&'a str>,
        ", " traceparents: Array<Nullable<Text>> = Vec<Option<&'a str>>,
        ", " providers: Array<Text> = Vec<&'a str>,
    } ") as p"
}

statement! {
    /// Ends payouts.
    ClosePayouts -> () {
        "update payouts p set status = c.status, closed_by = c.closed_by, word = c.word from unnest("
        ids: Array<SqlUuid> = Vec<Uuid>,
        ", " statuses: Array<Text> = Vec<&'static str>,
        ", " closed_by: Array<SqlUuid> = Vec<Uuid>,
        ", " words: Array<Text> = Vec<&'static str>,
    } ") as c (id, status, closed_by, word) where p.id = c.id and p.status in ('pending', 'submitted') \
          and (c.word <> 'refusal' or p.status = 'pending' and p.unsure_by = p.attempts)"
}

statement! {
    /// Notes that paid payouts came back; one that had been given back before only gets the note.
    ReturnPayouts -> () {
        "update payouts p set returned_by = c.returned_by, status = case p.status when 'paid' then 'returned' else p.status end from unnest("
        ids: Array<SqlUuid> = Vec<Uuid>,
        ", " returned_by: Array<SqlUuid> = Vec<Uuid>,
    } ") as c (id, returned_by) where p.id = c.id and p.status in ('paid', 'failed') and p.returned_by is null"
}

statement! {
    /// Notes that payouts were paid which had been given back.
    PaidLatePayouts -> () {
        "update payouts p set paid_late_by = c.paid_late_by from unnest("
        ids: Array<SqlUuid> = Vec<Uuid>,
        ", " paid_late_by: Array<SqlUuid> = Vec<Uuid>,
    } ") as c (id, paid_late_by) where p.id = c.id and p.status = 'failed' and p.paid_late_by is null"
}

statement! {
    /// Writes why money is in suspense, beside the transfers that took it there.
    WriteItems -> () {
        "insert into suspense_items (id, provider, event_id, wanted_account, reason, amount, currency, received_at) \
         select t.id, i.provider, i.event_id, i.wanted_account, i.reason, t.amount, t.currency, t.posted_at from unnest("
        ids: Array<SqlUuid> = Vec<Uuid>,
        ", " providers: Array<Text> = Vec<&'a str>,
        ", " event_ids: Array<Text> = Vec<&'a str>,
        ", " wanted_accounts: Array<SqlUuid> = Vec<Uuid>,
        ", " reasons: Array<Text> = Vec<&'static str>,
    } ") as i (id, provider, event_id, wanted_account, reason) join transfers t on t.id = i.id"
}

statement! {
    /// Says which transfers took money out of suspense.
    AllocateItems -> () {
        "update suspense_items i set allocated_by = a.transfer_id from unnest("
        items: Array<SqlUuid> = Vec<Uuid>,
        ", " transfers: Array<SqlUuid> = Vec<Uuid>,
    } ") as a (id, transfer_id) where i.id = a.id and i.allocated_by is null"
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

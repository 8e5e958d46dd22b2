//! Queries about books that were restored.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, StorageError};

use crate::error::Error;
use crate::ids::TransferId;
use crate::schema::transfers;

/// Those of the ids that the books know.
pub(super) async fn known(db: &mut Connection, ids: &[TransferId]) -> Result<HashSet<TransferId>, StorageError> {
    let known = diesel::sql_query("select id from transfers where id = any($1)").bind::<Array<SqlUuid>, _>(ids);
    Ok(known.load::<Known>(db).await?.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = SqlUuid)]
    id: TransferId,
}

/// An order that was found, and whose payer is not known yet.
#[derive(QueryableByName)]
pub(super) struct Unclaimed {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: TransferId,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Text)]
    pub(super) counterparty: String,
    #[diesel(sql_type = Text)]
    pub(super) reference: String,
}

impl Unclaimed {
    pub(super) fn money(&self) -> Result<Money, Error> {
        let currency =
            self.currency.parse().map_err(|_| Error::Invariant("a currency that this version does not know"))?;
        Ok(Money::new(self.amount, currency))
    }
}

const UNCLAIMED: &str = "
    select t.id, t.amount, t.currency, t.counterparty, t.reference
    from transfers t join accounts a on a.id = t.from_account
    where t.kind = 'payout_found' and a.purpose = 'suspense' and not exists (
        select from idempotency i where i.owner = $1 and i.operation = 'payout_found' and i.key = t.id || $2)
    order by t.sequence";

/// All of them: they are few, and a person's work.
pub(super) async fn unclaimed(db: &mut Connection) -> Result<Vec<Unclaimed>, StorageError> {
    let query = diesel::sql_query(UNCLAIMED).bind::<Text, _>(super::book::OWNER).bind::<Text, _>(super::book::CLAIM);
    Ok(query.load(db).await?)
}

/// Whether the books have a posting of this name.
pub(super) async fn is_there(db: &mut Connection, id: TransferId) -> Result<bool, StorageError> {
    let count: i64 = transfers::table.filter(transfers::id.eq(id)).count().get_result(db).await?;
    Ok(count > 0)
}

const LAST_ORDER: &str = "
    select coalesce((select t.posted_at from transfers t where t.kind in ('transfer', 'exchange', 'payout') order by t.sequence desc limit 1),
        to_timestamp(0)) as at";

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

/// When a customer's last order was posted, of those that the books know. Where they know none, everything may have been forgotten.
pub(super) async fn last_order(db: &mut Connection) -> Result<DateTime<Utc>, StorageError> {
    let last: Last = diesel::sql_query(LAST_ORDER).get_result(db).await?;
    Ok(last.at)
}

/// Of what the books take for unsent, and its partner has.
const HAD: &str = "
    update payouts set status = 'submitted', next_attempt_at = statement_timestamp()
    where id = any($1) and status = 'pending' and (held_until is null or held_until <= clock_timestamp()) and not books_are_open()";

/// Their partners have these, so nobody takes one of them back as if it had not been sent, and what has become of it is asked.
pub(super) async fn had(db: &mut Connection, ids: &[TransferId]) -> Result<usize, StorageError> {
    Ok(diesel::sql_query(HAD).bind::<Array<SqlUuid>, _>(ids).execute(db).await?)
}

/// What nobody has sent before the point may have been sent after it. What is still held cannot have been; what a stop keeps here must not be sent, nor asked about.
const DOUBT: &str = "
    update payouts set attempts = attempts + 1, unsure_since = statement_timestamp(), unsure_by = attempts + 1
    where status = 'pending' and unsure_since is null and (held_until is null or held_until <= clock_timestamp()) and not books_are_open()
      and not exists (select from accounts a where a.id = account_id and a.stopped)";

/// The partner is asked about all that is pending before it is sent, and a refusal gives nothing of it back: as after an attempt whose answer was lost.
pub(super) async fn doubt(db: &mut Connection) -> Result<usize, StorageError> {
    Ok(diesel::sql_query(DOUBT).execute(db).await?)
}

/// From now on the books are those of this cluster on this timeline.
pub(super) async fn open(db: &mut Connection) -> Result<(), StorageError> {
    let open = "insert into lifelines (system_identifier, timeline) select l.system_identifier, l.timeline from lifeline() l on conflict do nothing";
    diesel::sql_query(open).execute(db).await?;
    Ok(())
}

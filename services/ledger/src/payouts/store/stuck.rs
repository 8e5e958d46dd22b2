//! What a person has to look at, as `ledger_poster`.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::ids::{PayoutId, TransferId};

/// Payouts that need a person.
#[derive(Debug, QueryableByName)]
pub(in crate::payouts) struct Stuck {
    #[diesel(sql_type = SqlUuid)]
    pub(in crate::payouts) id: PayoutId,
    #[diesel(sql_type = Text)]
    pub(in crate::payouts) provider: String,
    #[diesel(sql_type = Text)]
    pub(in crate::payouts) currency: String,
    /// Of all that are stuck in this currency, in minor units.
    #[diesel(sql_type = BigInt)]
    pub(in crate::payouts) sum: i64,
}

/// Each with the sum of all in its currency, so that a limit hides none of the money; those that may be paid twice or never come first.
const STUCK: &str = "
    select id, provider, currency, (sum(amount) over (partition by currency))::bigint as sum from payouts
    where status = 'pending' and (unsure_since < $1 or coalesce(held_until, created_at) < $1)
       or status = 'submitted' and coalesce(held_until, created_at) < $2
    order by status = 'submitted', created_at limit $3";

/// At most `limit` of them: pending or unknown since before `unknown`, or submitted and without an end since before `open`.
pub(in crate::payouts) async fn stuck(
    db: &mut Connection,
    unknown: DateTime<Utc>,
    open: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Stuck>, StorageError> {
    let query = diesel::sql_query(STUCK).bind::<Timestamptz, _>(unknown).bind::<Timestamptz, _>(open);
    Ok(query.bind::<BigInt, _>(limit).load(db).await?)
}

/// Money that waits for a person.
#[derive(Debug, QueryableByName)]
pub(in crate::payouts) struct Suspended {
    /// As the payout and the item are called.
    #[diesel(sql_type = SqlUuid)]
    pub(in crate::payouts) id: TransferId,
    #[diesel(sql_type = Text)]
    pub(in crate::payouts) provider: String,
    /// The house's loss, and not somebody's money.
    #[diesel(sql_type = Bool)]
    pub(in crate::payouts) lost: bool,
}

const SUSPENDED: &str = "
    (select id, provider, true as lost from payouts where paid_late_by is not null and returned_by is null order by id limit $1)
    union all
    (select id, provider, false from suspense_items where allocated_by is null order by id limit $1)";

/// At most `limit` payouts that were paid after they had been given back, and as many items in suspense that nobody has allocated.
pub(in crate::payouts) async fn suspended(db: &mut Connection, limit: i64) -> Result<Vec<Suspended>, StorageError> {
    Ok(diesel::sql_query(SUSPENDED).bind::<BigInt, _>(limit).load(db).await?)
}

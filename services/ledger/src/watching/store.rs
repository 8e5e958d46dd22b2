//! What waits, counted by the database. As `ledger_poster`.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

/// How far behind a reader of the outbox is.
#[derive(Debug, QueryableByName)]
pub(super) struct Behind {
    #[diesel(sql_type = Text)]
    pub(super) id: String, // Text: one of a few words of ours.
    /// Transfers that are announced and that it has not been told of.
    #[diesel(sql_type = BigInt)]
    pub(super) waiting: i64,
    /// When the first of them was posted.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub(super) oldest: Option<DateTime<Utc>>,
}

const READERS: &str = "
    select r.id, greatest(h.announced - r.position, 0) as waiting, t.posted_at as oldest
    from outbox_readers r cross join head h
         left join transfers t on t.sequence = r.position + 1 and r.position < h.announced";

pub(super) async fn readers(db: &mut Connection) -> Result<Vec<Behind>, StorageError> {
    Ok(diesel::sql_query(READERS).load(db).await?)
}

/// Payouts of one status.
#[derive(Debug, QueryableByName)]
pub(super) struct Open {
    #[diesel(sql_type = Text)]
    pub(super) status: String, // Text: one of four words of ours.
    #[diesel(sql_type = BigInt)]
    pub(super) number: i64,
}

/// Under the names of `api::PayoutStatus`, each of them, also with none. The index of what is due has them all.
const OPEN: &str = "
    with open as materialized (
        select case when status = 'submitted' then 'submitted'
                    when unsure_since is not null and attempts > 1 then 'unknown'
                    when held_until > $1 then 'held'
                    else 'pending' end as status
        from payouts where status in ('pending', 'submitted')
    )
    select known.status, count(open.status) as number
    from unnest(array['held', 'pending', 'unknown', 'submitted']) as known(status) left join open using (status) group by known.status";

pub(super) async fn open_payouts(db: &mut Connection, now: DateTime<Utc>) -> Result<Vec<Open>, StorageError> {
    Ok(diesel::sql_query(OPEN).bind::<Timestamptz, _>(now).load(db).await?)
}

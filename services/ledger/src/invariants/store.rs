//! The database looks at itself: at what is now in one statement, at what has been written since the last time in steps.

use std::time::Duration;

use api::internal::Invariants;
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};
use tokio::time::Instant;

/// Transfers in one step of the check: well under a second.
const STEP: i64 = 5_000;

/// One statement, so that all of it is of one moment. An account that has not moved since its last entry was found right is compared with
/// that; the last entry of the others is looked up.
const NOW: &str = "
    with of_accounts as materialized (
        select a.purpose, a.currency, a.balance, a.version,
               a.balance <> case when k.version = a.version then k.balance else coalesce(e.balance, 0) end as unequal,
               k.version is distinct from a.version and a.version <> coalesce(e.version, 0) as gapped
        from accounts a
             left join book_check_accounts k on k.account_id = a.id
             left join lateral (
                 select e.version, e.balance from entries e
                 where k.version is distinct from a.version and e.account_id = a.id order by e.version desc limit 1) e on true
    ), open as (
        select p.currency, sum(p.amount) as amount from payouts p where p.status in ('pending', 'submitted') group by p.currency
    )
    select (select count(*) from (select from of_accounts group by currency having sum(balance) <> 0) c) as unbalanced_currencies,
           (select count(*) from of_accounts where unequal) as unequal_accounts,
           (select count(*) from of_accounts where gapped) as gapped_accounts,
           (select count(*) from (select currency, balance from of_accounts where purpose = 'payout_clearing') a
            full join open using (currency) where coalesce(a.balance, 0) <> coalesce(open.amount, 0)) as unequal_clearings,
           (select count(*) from of_accounts where purpose = 'customer') as accounts,
           (select coalesce(sum(version), 0)::bigint from of_accounts) as entries";

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = BigInt)]
    unbalanced_currencies: i64,
    #[diesel(sql_type = BigInt)]
    unequal_accounts: i64,
    #[diesel(sql_type = BigInt)]
    gapped_accounts: i64,
    #[diesel(sql_type = BigInt)]
    unequal_clearings: i64,
    #[diesel(sql_type = BigInt)]
    accounts: i64,
    #[diesel(sql_type = BigInt)]
    entries: i64,
}

#[derive(QueryableByName)]
struct Head {
    #[diesel(sql_type = BigInt)]
    sequence: i64,
}

/// What a step found in the transfers after the last that was found right.
#[derive(Debug, QueryableByName)]
pub(crate) struct Step {
    #[diesel(sql_type = BigInt)]
    pub(crate) checked_transfers: i64,
    #[diesel(sql_type = BigInt)]
    transfers_without_entries: i64,
    #[diesel(sql_type = BigInt)]
    transfers_unlike_entries: i64,
    #[diesel(sql_type = BigInt)]
    gapped_accounts: i64,
    #[diesel(sql_type = BigInt)]
    unequal_accounts: i64,
}

impl Step {
    fn is_right(&self) -> bool {
        let faults = [
            self.transfers_without_entries,
            self.transfers_unlike_entries,
            self.gapped_accounts,
            self.unequal_accounts,
        ];
        faults == [0; 4]
    }
}

/// Counts, as `ledger_poster`, after going on through the transfers until the last, a fault, or `patience` is over.
pub(crate) async fn count(db: &mut Connection, patience: Duration) -> Result<Invariants, StorageError> {
    let (transfers, step) = catch_up(db, patience).await?;
    let now: Now = diesel::sql_query(NOW).get_result(db).await?;
    let balanced =
        [now.unbalanced_currencies, now.unequal_accounts, now.gapped_accounts, now.unequal_clearings] == [0; 4];
    Ok(Invariants {
        hold: balanced && step.is_right(),
        unbalanced_currencies: now.unbalanced_currencies,
        // An account may be wrong in both views: one is enough to say so.
        unequal_accounts: now.unequal_accounts.max(step.unequal_accounts),
        gapped_accounts: now.gapped_accounts.max(step.gapped_accounts),
        unequal_clearings: now.unequal_clearings,
        transfers_without_entries: step.transfers_without_entries,
        transfers_unlike_entries: step.transfers_unlike_entries,
        checked_transfers: step.checked_transfers,
        accounts: now.accounts,
        transfers,
        entries: now.entries,
    })
}

/// Everything, from the first transfer on.
pub(crate) async fn count_again(db: &mut Connection) -> Result<Invariants, StorageError> {
    diesel::sql_query("select check_books_again()").execute(db).await?;
    catch_up(db, Duration::MAX).await?;
    count(db, Duration::ZERO).await
}

/// The number of the last transfer when it began, and the last step.
async fn catch_up(db: &mut Connection, patience: Duration) -> Result<(i64, Step), StorageError> {
    let began = Instant::now();
    let head: Head = diesel::sql_query("select sequence from head").get_result(db).await?;
    loop {
        let step = advance(db).await?;
        if !step.is_right() || step.checked_transfers >= head.sequence || began.elapsed() >= patience {
            return Ok((head.sequence, step));
        }
    }
}

async fn advance(db: &mut Connection) -> Result<Step, StorageError> {
    Ok(diesel::sql_query("select * from check_books($1)").bind::<BigInt, _>(STEP).get_result(db).await?)
}

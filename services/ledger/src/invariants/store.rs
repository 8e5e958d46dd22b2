//! One statement, so that all counts are of one moment.

use api::internal::Invariants;
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

const COUNT: &str = "
    with of_entries as (
        select account_id, sum(amount) as amount, count(*) as lines, min(version) as low, max(version) as high
        from entries group by account_id
    ), of_accounts as (
        select a.balance <> coalesce(e.amount, 0) as unequal,
               a.version <> coalesce(e.lines, 0) or coalesce(e.low, 1) <> 1 or coalesce(e.high, 0) <> a.version as gapped
        from accounts a left join of_entries e on e.account_id = a.id
    )
    select (select count(*) from (select from accounts group by currency having sum(balance) <> 0) c) as unbalanced_currencies,
           (select count(*) from of_accounts where unequal) as unequal_accounts,
           (select count(*) from of_accounts where gapped) as gapped_accounts,
           (select count(*) from accounts where purpose = 'customer') as accounts,
           (select count(*) from transfers) as transfers,
           (select count(*) from entries) as entries";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    unbalanced_currencies: i64,
    #[diesel(sql_type = BigInt)]
    unequal_accounts: i64,
    #[diesel(sql_type = BigInt)]
    gapped_accounts: i64,
    #[diesel(sql_type = BigInt)]
    accounts: i64,
    #[diesel(sql_type = BigInt)]
    transfers: i64,
    #[diesel(sql_type = BigInt)]
    entries: i64,
}

/// Counts, as `ledger_poster`.
pub(crate) async fn count(db: &mut Connection) -> Result<Invariants, StorageError> {
    let row: Row = diesel::sql_query(COUNT).get_result(db).await?;
    Ok(Invariants {
        hold: row.unbalanced_currencies == 0 && row.unequal_accounts == 0 && row.gapped_accounts == 0,
        unbalanced_currencies: row.unbalanced_currencies,
        unequal_accounts: row.unequal_accounts,
        gapped_accounts: row.gapped_accounts,
        accounts: row.accounts,
        transfers: row.transfers,
        entries: row.entries,
    })
}

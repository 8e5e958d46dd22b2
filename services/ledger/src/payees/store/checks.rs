//! Queries on `payee_checks`, as `ledger_app` and for its subject only. The times, the order of what is said, and how much an owner may ask are the database's.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{AsText, Connection, StorageError};

use crate::ids::{PayeeId, Subject};
use crate::payees::word::{Told, Word};
use crate::schema::payee_checks;

/// What was said of a payee's name, or that it is being asked.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = payee_checks)]
pub struct Check {
    /// None: it is being asked, or whoever asked was lost over it.
    pub word: Option<AsText<Word>>,
    /// The name that the account has, of a close match.
    pub holder: Option<String>,
    /// When the word was there.
    pub told_at: Option<DateTime<Utc>>,
    /// Nobody has answered, and it was asked long enough ago to ask again.
    #[diesel(select_expression = sql::<Bool>(
        "((payee_checks.silent or payee_checks.word is null) and payee_checks.due_at <= clock_timestamp())"
    ))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    pub is_due: bool,
    /// It is being asked, as far as anybody can know: by the database's clock, as the guard on payouts will say.
    #[diesel(select_expression = sql::<Bool>("(payee_checks.word is null and payee_checks.due_at > clock_timestamp())"))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    pub is_under_way: bool,
}

impl Check {
    /// What was just said, as whoever asked has it.
    pub(in crate::payees) fn of(told: Told, now_millis: i64) -> Self {
        let told_at = DateTime::from_timestamp_millis(now_millis);
        Self { word: Some(AsText(told.word)), holder: told.holder, told_at, is_due: false, is_under_way: false }
    }
}

/// Takes what was never asked, or never answered and is due again, to be asked now; the number of the asking.
const CLAIM: &str = "
    insert into payee_checks as c (payee_id, owner) values ($1, $2)
    on conflict (payee_id) do update set asked = c.asked + 1, word = null, holder = null, silent = false
    where (c.silent or c.word is null) and c.due_at <= clock_timestamp()
    returning asked";

#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = Integer)]
    asked: i32,
}

/// Takes a check to be carried out; none, if it is done or somebody else's by now.
pub(in crate::payees) async fn claim(
    db: &mut Connection,
    owner: &Subject,
    payee: PayeeId,
) -> Result<Option<i32>, StorageError> {
    let query = diesel::sql_query(CLAIM).bind::<SqlUuid, _>(payee).bind::<Text, _>(owner);
    Ok(query.get_result(db).await.optional()?.map(|Claimed { asked }| asked))
}

/// Stores what the asking of this number came to, if nobody has asked again meanwhile; tells how many rows that were.
pub(in crate::payees) async fn tell(
    db: &mut Connection,
    payee: PayeeId,
    asked: i32,
    told: &Told,
) -> Result<usize, StorageError> {
    let open =
        payee_checks::table.find(payee).filter(payee_checks::asked.eq(asked)).filter(payee_checks::word.is_null());
    let values = (
        payee_checks::word.eq(Some(told.word.as_ref())),
        payee_checks::holder.eq(told.holder.as_deref()),
        payee_checks::silent.eq(told.silent),
    );
    Ok(diesel::update(open).set(values).execute(db).await?)
}

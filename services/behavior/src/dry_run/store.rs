//! Queries on `dry_runs`.

use diesel::QueryableByName;
use diesel::prelude::OptionalExtension as _;
use diesel::sql_types::{Array, BigInt, Double, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use storage::{AsText, Connection, Pool, StorageError, connection, statement, subject_transaction};

use crate::action::Action;
use crate::ids::DecisionId;
use crate::said::Said;
use crate::said::store::{SaidRow, odd};

statement! {
    /// Stores what was tried, beside the decisions.
    Insert -> () {
        "insert into dry_runs (decision_id, decided, score, action, reasons, model, rules) \
         select * from unnest(" ids: Array<SqlUuid> = Vec<DecisionId>,
        ", " decided: Array<Text> = Vec<&'a str>,
        ", " scores: Array<Double> = Vec<f64>,
        ", " actions: Array<Text> = Vec<&'a str>,
        ", " reasons: Array<Jsonb> = Vec<Value>,
        ", " models: Array<Text> = Vec<&'a str>,
        ", " rules: Array<Text> = Vec<&'a str>,
    } ")"
}

/// Stores what was tried beside each decision, which said `decided`, in the transaction that stores those.
pub(crate) async fn insert<'a>(
    db: &mut Connection,
    tried: impl Iterator<Item = (DecisionId, &'a Action, &'a Said)>,
) -> Result<(), StorageError> {
    let mut columns = Insert::default();
    for (id, decided, tried) in tried {
        columns.ids.push(id);
        columns.decided.push(decided.as_ref());
        columns.scores.push(tried.score);
        columns.actions.push(tried.action.as_ref());
        columns.reasons.push(serde_json::to_value(&tried.reasons).map_err(odd)?);
        columns.models.push(&tried.model);
        columns.rules.push(&tried.rules);
    }
    if !columns.ids.is_empty() {
        columns.execute(db).await?;
    }
    Ok(())
}

/// What was tried beside a decision. It is seen by who says which one (`app.subject`).
pub(crate) async fn find(db: &mut Connection, id: DecisionId) -> Result<Option<Said>, StorageError> {
    const READ: &str = "select score, action, reasons, model, rules from dry_runs where decision_id = $1";
    let row: Option<SaidRow> = diesel::sql_query(READ).bind::<SqlUuid, _>(id).get_result(db).await.optional()?;
    row.map(Said::try_from).transpose()
}

/// How often what decides said one thing, and what is tried another.
#[derive(QueryableByName)]
pub(crate) struct Count {
    #[diesel(sql_type = Text)]
    pub(crate) decided: AsText<Action>,
    #[diesel(sql_type = Text)]
    pub(crate) action: AsText<Action>,
    #[diesel(sql_type = BigInt)]
    pub(crate) payments: i64,
}

/// Among so many of the newest payments on which anything was tried, those on which these were.
pub(crate) async fn counts(pool: &Pool, model: &str, rules: &str, newest: i32) -> Result<Vec<Count>, StorageError> {
    let mut db = connection(pool).await?;
    let query = diesel::sql_query("select * from dry_run_counts($1, $2, $3)");
    Ok(query.bind::<Text, _>(model).bind::<Text, _>(rules).bind::<Integer, _>(newest).load(&mut db).await?)
}

/// A payment on which they differ.
#[derive(QueryableByName)]
pub(crate) struct Differing {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) decision_id: DecisionId,
    #[diesel(sql_type = Text)]
    pub(crate) decided: AsText<Action>,
    #[diesel(sql_type = Double)]
    pub(crate) score: f64,
    #[diesel(sql_type = Text)]
    pub(crate) action: AsText<Action>,
    /// The weightiest reason.
    #[diesel(sql_type = Nullable<Text>)]
    pub(crate) says: Option<String>,
}

/// The newest of those, at most so many.
pub(crate) async fn differing(
    pool: &Pool,
    model: &str,
    rules: &str,
    most: i64,
) -> Result<Vec<Differing>, StorageError> {
    const READ: &str = "\
        select decision_id, decided, score, action, reasons -> 0 ->> 'says' as says from dry_runs \
        where action <> decided and model = $1 and rules = $2 order by decision_id desc limit $3";
    subject_transaction(pool, "desk.dry_run", "dry run", async |db| {
        let query = diesel::sql_query(READ).bind::<Text, _>(model).bind::<Text, _>(rules).bind::<BigInt, _>(most);
        Ok(query.load(db).await?)
    })
    .await
}

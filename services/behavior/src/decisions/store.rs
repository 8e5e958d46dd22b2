//! Queries on `decisions`.

use api::behavior::Label;
use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::OptionalExtension as _;
use diesel::sql_types::{Array, BigInt, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use storage::{Connection, Pool, StorageError, statement, subject_transaction, transaction};

use super::Decision;
use crate::dry_run::store as dry_run;
use crate::features;
use crate::ids::{DecisionId, RequestId};
use crate::said::Said;
use crate::said::store::{SaidRow, odd};
use crate::state::store::PaidRow;

statement! {
    /// Stores decisions. The role that does so sees none of them. Their features come one after the other in one array, as many of each as `width` says.
    Insert -> () {
        "insert into decisions (id, decided_at, request_id, at, user_key, payee_key, amount, currency, features_version, learned, score, action, \
             reasons, model, rules, features) \
         select d.id, d.decided_at, d.request_id, d.at, d.user_key, d.payee_key, d.amount, d.currency, d.features_version, d.learned, d.score, \
             d.action, d.reasons, d.model, d.rules, (" features: Array<Double> = Vec<f64>,
        "::double precision[])[(d.place - 1) * " width: Integer = i32,
        " + 1 : d.place * $2] from unnest(" ids: Array<SqlUuid> = Vec<DecisionId>,
        ", " decided_at: Array<Timestamptz> = Vec<DateTime<Utc>>,
        ", " requests: Array<Nullable<SqlUuid>> = Vec<Option<RequestId>>,
        ", " paid_at: Array<Timestamptz> = Vec<DateTime<Utc>>,
        ", " users: Array<BigInt> = Vec<i64>,
        ", " payees: Array<BigInt> = Vec<i64>,
        ", " amounts: Array<BigInt> = Vec<i64>,
        ", " currencies: Array<Text> = Vec<&'static str>,
        ", " versions: Array<Integer> = Vec<i32>,
        ", " learned: Array<BigInt> = Vec<i64>,
        ", " scores: Array<Double> = Vec<f64>,
        ", " actions: Array<Text> = Vec<&'a str>,
        ", " reasons: Array<Jsonb> = Vec<Value>,
        ", " models: Array<Text> = Vec<&'a str>,
        ", " rules: Array<Text> = Vec<&'a str>,
        ", " places: Array<Integer> = Vec<i32>,
    } ") as d (id, decided_at, request_id, at, user_key, payee_key, amount, currency, features_version, learned, score, action, reasons, model, \
          rules, place)"
}

/// Stores them, all or none.
pub(super) async fn insert(pool: &Pool, decisions: &[Decision]) -> Result<(), StorageError> {
    transaction(pool, "decisions.store", async |db| write(db, decisions).await).await
}

async fn write(db: &mut Connection, decisions: &[Decision]) -> Result<(), StorageError> {
    let width = i32::try_from(features::COUNT).map_err(odd)?;
    let mut columns = Insert { width, ..Insert::default() };
    for (place, decision) in (1..).zip(decisions) {
        if decision.features.len() != features::COUNT {
            return Err(odd("a decision with other features than there are"));
        }
        columns.places.push(place);
        columns.ids.push(decision.id);
        columns.decided_at.push(decision.decided_at);
        columns.requests.push(decision.request);
        columns.paid_at.push(decision.paid.at);
        columns.users.push(decision.paid.user.cast_signed());
        columns.payees.push(decision.paid.payee.cast_signed());
        columns.amounts.push(decision.paid.money.minor());
        columns.currencies.push(decision.paid.money.currency().code());
        columns.versions.push(i32::try_from(decision.features_version).map_err(odd)?);
        columns.features.extend(&decision.features);
        columns.learned.push(decision.learned);
        columns.scores.push(decision.said.score);
        columns.actions.push(decision.said.action.as_ref());
        columns.reasons.push(serde_json::to_value(&decision.said.reasons).map_err(odd)?);
        columns.models.push(&decision.said.model);
        columns.rules.push(&decision.said.rules);
    }
    columns.execute(db).await?;
    let tried = decisions.iter().filter_map(|one| Some((one.id, &one.said.action, one.dry_run.as_ref()?)));
    dry_run::insert(db, tried).await
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: DecisionId,
    #[diesel(sql_type = Timestamptz)]
    decided_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    request_id: Option<RequestId>,
    #[diesel(embed)]
    paid: PaidRow,
    #[diesel(sql_type = Integer)]
    features_version: i32,
    #[diesel(sql_type = Array<Double>)]
    features: Vec<f64>,
    #[diesel(sql_type = Array<Text>)]
    names: Vec<String>,
    #[diesel(sql_type = BigInt)]
    learned: i64,
    #[diesel(embed)]
    said: SaidRow,
    #[diesel(sql_type = Nullable<Text>)]
    label: Option<String>,
}

/// A decision, what its features are called, and the last word on it.
pub(crate) struct Found {
    pub(crate) decision: Decision,
    pub(crate) names: Vec<String>, // Text: of every version of the service that there was.
    pub(crate) label: Option<Label>,
}

/// The decision of an id. It is seen by who says which one (`app.subject`).
pub(crate) async fn read(pool: &Pool, id: DecisionId) -> Result<Option<Found>, StorageError> {
    let subject = id.to_string();
    subject_transaction(pool, "decisions.find", &subject, async |db| find(db, id).await).await
}

async fn find(db: &mut Connection, id: DecisionId) -> Result<Option<Found>, StorageError> {
    const READ: &str = "\
        select d.*, v.names, (select l.label from labels l where l.payment = d.id order by l.number desc limit 1) as label \
        from decisions d join feature_versions v on v.version = d.features_version where d.id = $1";
    let row: Option<Row> = diesel::sql_query(READ).bind::<SqlUuid, _>(id).get_result(db).await.optional()?;
    let Some(row) = row else { return Ok(None) };
    let tried = dry_run::find(db, id).await?;
    Ok(Some(row.found(tried)?))
}

impl Row {
    fn found(self, dry_run: Option<Said>) -> Result<Found, StorageError> {
        let label = self.label.map(|label| serde_json::from_value(Value::String(label)).map_err(odd));
        let decision = Decision {
            id: self.id,
            decided_at: self.decided_at,
            request: self.request_id,
            paid: self.paid.into(),
            features_version: u32::try_from(self.features_version).map_err(odd)?,
            features: self.features,
            learned: self.learned,
            said: self.said.try_into()?,
            dry_run,
        };
        Ok(Found { decision, names: self.names, label: label.transpose()? })
    }
}

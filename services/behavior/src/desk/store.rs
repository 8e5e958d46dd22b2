//! What the desk reads. A transaction says whose decisions it is about (`app.subject`), and sees no others.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{AsText, Pool, StorageError, connection, subject_transaction};

use crate::action::Action;
use crate::events::{Key, Place, What};
use crate::ids::{DecisionId, PaymentId};
use crate::state::store::{EventRow, PaidRow, Read};

/// What a list shows of a decision that asks for something.
#[derive(QueryableByName)]
pub(super) struct Alert {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: DecisionId,
    #[diesel(embed)]
    pub(super) paid: PaidRow,
    #[diesel(sql_type = Double)]
    pub(super) score: f64,
    #[diesel(sql_type = Text)]
    pub(super) action: AsText<Action>,
    /// The weightiest reason.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) says: Option<String>,
    /// The last word.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) label: Option<String>,
}

/// Alerts before one, the newest first, at most so many.
pub(super) async fn alerts(pool: &Pool, before: Option<DecisionId>, most: i64) -> Result<Vec<Alert>, StorageError> {
    const READ: &str = "\
        select d.id, d.at, d.user_key, d.payee_key, d.amount, d.currency, d.score, d.action, d.reasons -> 0 ->> 'says' as says, \
            (select l.label from labels l where l.payment = d.id order by l.number desc limit 1) as label \
        from decisions d where d.action <> 'allow' and ($1 is null or d.id < $1) order by d.id desc limit $2";
    subject_transaction(pool, "desk.alerts", "alerts", async |db| {
        let query = diesel::sql_query(READ).bind::<Nullable<SqlUuid>, _>(before).bind::<BigInt, _>(most);
        Ok(query.load(db).await?)
    })
    .await
}

/// Payments that a case is shown among.
const BEFORE: i64 = 40;
const AFTER: i64 = 20;
/// Of those that were asked about and not made, so many before and so many after.
const NOT_MADE: i64 = 10;

/// A payment of the user, as it was made or asked about.
#[derive(QueryableByName)]
pub(super) struct Line {
    #[diesel(embed)]
    pub(super) paid: PaidRow,
    #[diesel(sql_type = Bool)]
    pub(super) made: bool,
    /// None of what was paid without asking.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) decision: Option<DecisionId>,
    #[diesel(sql_type = Nullable<Double>)]
    pub(super) score: Option<f64>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) action: Option<AsText<Action>>,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) label: Option<String>,
}

/// The payments of a user around a time, the newest first: those that were made, and of those that were not the case itself and other alerts.
pub(super) async fn around(
    pool: &Pool,
    user: Key,
    at: DateTime<Utc>,
    case: DecisionId,
) -> Result<Vec<Line>, StorageError> {
    const READ: &str = "\
        select t.at, t.user_key, t.payee_key, t.amount, t.currency, t.made, t.decision, d.score, d.action, \
            (select l.label from labels l where l.payment = t.payment order by l.number desc limit 1) as label \
        from ( \
            (select at, user_key, payee_key, amount, currency, true as made, decision_id as decision, \
                 coalesce(decision_id, id) as payment, number \
             from events where user_key = $1 and kind = 'payment' and at <= $2 order by at desc, number desc limit $4) \
            union all \
            (select at, user_key, payee_key, amount, currency, true, decision_id, coalesce(decision_id, id), number \
             from events where user_key = $1 and kind = 'payment' and at > $2 order by at, number limit $5) \
            union all \
            (select at, user_key, payee_key, amount, currency, false, id, id, 0 from decisions d \
             where user_key = $1 and at <= $2 and id <> $3 and action <> 'allow' \
                 and not exists (select from events e where e.decision_id = d.id) order by at desc limit $6) \
            union all \
            (select at, user_key, payee_key, amount, currency, false, id, id, 0 from decisions d \
             where user_key = $1 and at > $2 and id <> $3 and action <> 'allow' \
                 and not exists (select from events e where e.decision_id = d.id) order by at limit $6) \
            union all \
            (select at, user_key, payee_key, amount, currency, false, id, id, 0 from decisions d \
             where id = $3 and not exists (select from events e where e.decision_id = d.id)) \
        ) t left join decisions d on d.id = t.decision order by t.at desc, t.number desc";
    let subject = format!("user {}", user.cast_signed());
    subject_transaction(pool, "desk.around", &subject, async |db| {
        let query = diesel::sql_query(READ)
            .bind::<BigInt, _>(user.cast_signed())
            .bind::<Timestamptz, _>(at)
            .bind::<SqlUuid, _>(case)
            .bind::<BigInt, _>(BEFORE)
            .bind::<BigInt, _>(AFTER)
            .bind::<BigInt, _>(NOT_MADE);
        Ok(query.load(db).await?)
    })
    .await
}

/// What is shown of the user's door: so much before the payment and so much after, and nothing that is further away than this.
const AT_THE_DOOR: i64 = 20;

/// Something that happened there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happened {
    pub(super) at: DateTime<Utc>,
    pub(super) what: What,
    pub(super) place: Option<Place>,
}

/// What happened at the user's door in the 30 days before a time and the day after, the newest first.
pub(super) async fn door(pool: &Pool, user: Key, at: DateTime<Utc>) -> Result<Vec<Happened>, StorageError> {
    const READ: &str = "\
        select * from ( \
            (select number, kind, at, user_key, payee_key, amount, currency, device_key, detail, country, network_key from events \
             where user_key = $1 and kind <> 'payment' and at <= $2 and at > $2 - interval '30 days' order by at desc, number desc limit $3) \
            union all \
            (select number, kind, at, user_key, payee_key, amount, currency, device_key, detail, country, network_key from events \
             where user_key = $1 and kind <> 'payment' and at > $2 and at < $2 + interval '1 day' order by at, number limit $3) \
        ) d order by at desc, number desc";
    let mut db = connection(pool).await?;
    let query = diesel::sql_query(READ).bind::<BigInt, _>(user.cast_signed()).bind::<Timestamptz, _>(at);
    let rows: Vec<EventRow> = query.bind::<BigInt, _>(AT_THE_DOOR).load(&mut db).await?;
    let mut happened = Vec::with_capacity(rows.len());
    for row in rows {
        if let Read::Noticed { at, what, place, .. } = row.read()? {
            happened.push(Happened { at, what, place });
        }
    }
    Ok(happened)
}

/// A word on a payment.
#[derive(QueryableByName)]
pub(super) struct Word {
    #[diesel(sql_type = Text)]
    pub(super) label: String,
    #[diesel(sql_type = Text)]
    pub(super) said_by: String,
    #[diesel(sql_type = Timestamptz)]
    pub(super) known_at: DateTime<Utc>,
}

/// The last words on a payment, the newest first.
pub(super) async fn words(pool: &Pool, payment: PaymentId) -> Result<Vec<Word>, StorageError> {
    const READ: &str = "select label, said_by, known_at from labels where payment = $1 order by number desc limit 20";
    let mut db = connection(pool).await?;
    Ok(diesel::sql_query(READ).bind::<SqlUuid, _>(payment).load(&mut db).await?)
}

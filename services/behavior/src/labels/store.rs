//! Queries on `labels`, and on what they are about.

use api::behavior::{About, Label, NewLabel};
use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::OptionalExtension as _;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use crate::ids::{DecisionId, EventId, PaymentId};

/// A payment that something is said of.
#[derive(QueryableByName)]
pub(super) struct Payment {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: PaymentId,
    #[diesel(sql_type = Timestamptz)]
    paid_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    payee_key: i64,
}

/// The payment of a decision, in a transaction that is about it.
pub(super) async fn decided(db: &mut Connection, id: DecisionId) -> Result<Option<Payment>, StorageError> {
    const READ: &str = "select id, at as paid_at, payee_key from decisions where id = $1";
    Ok(diesel::sql_query(READ).bind::<SqlUuid, _>(id).get_result(db).await.optional()?)
}

/// The payment of an event. It is called by its decision where there is one, so that a word on either is about the same payment.
pub(super) async fn happened(db: &mut Connection, id: EventId) -> Result<Option<Payment>, StorageError> {
    const READ: &str = "\
        select coalesce(decision_id, id) as id, at as paid_at, payee_key from events where id = $1 and kind = 'payment'";
    Ok(diesel::sql_query(READ).bind::<SqlUuid, _>(id).get_result(db).await.optional()?)
}

/// The last word on a payment, and what it was said of.
#[derive(QueryableByName)]
pub(super) struct Word {
    #[diesel(sql_type = Text)]
    label: String,
    /// A newer word is about the same: an event may differ from its decision, and what one word counted the next must take back.
    #[diesel(embed)]
    pub(super) payment: Payment,
}

impl Word {
    pub(super) fn label(&self) -> Result<Label, StorageError> {
        match self.label.as_str() {
            "fraud" => Ok(Label::Fraud),
            "honest" => Ok(Label::Honest),
            other => {
                let odd = format!("`{other}` is no label");
                Err(StorageError::Query(diesel::result::Error::DeserializationError(odd.into())))
            }
        }
    }
}

/// The last word on a payment.
pub(super) async fn last(db: &mut Connection, payment: PaymentId) -> Result<Option<Word>, StorageError> {
    const READ: &str =
        "select label, payment as id, paid_at, payee_key from labels where payment = $1 order by number desc limit 1";
    Ok(diesel::sql_query(READ).bind::<SqlUuid, _>(payment).get_result(db).await.optional()?)
}

/// Adds a word.
pub(super) async fn insert(
    db: &mut Connection,
    number: i64,
    payment: &Payment,
    said: &NewLabel,
    before: Option<Label>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    const INSERT: &str = "\
        insert into labels (payment, number, known_at, about, label, before, paid_at, payee_key, said_by) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let query = diesel::sql_query(INSERT)
        .bind::<SqlUuid, _>(payment.id)
        .bind::<BigInt, _>(number)
        .bind::<Timestamptz, _>(now)
        .bind::<Text, _>(word(said.about))
        .bind::<Text, _>(label_word(said.label))
        .bind::<Nullable<Text>, _>(before.map(label_word));
    let query = query.bind::<Timestamptz, _>(payment.paid_at).bind::<BigInt, _>(payment.payee_key);
    query.bind::<Text, _>(by).execute(db).await?;
    Ok(())
}

/// As the column has it.
pub(super) const fn word(about: About) -> &'static str {
    match about {
        About::Decision => "decision",
        About::Event => "event",
    }
}

/// As the column has it.
pub(super) const fn label_word(label: Label) -> &'static str {
    match label {
        Label::Fraud => "fraud",
        Label::Honest => "honest",
    }
}

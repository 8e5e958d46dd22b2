//! Queries on `notes`.

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::prelude::OptionalExtension as _;
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use super::model::{Note, Words};
use crate::ids::NoteId;

/// A note that is not written yet.
pub(super) struct NewNote<'a> {
    pub(super) id: NoteId,
    pub(super) text: Words<'a>,
    pub(super) written_by: &'a str,
    pub(super) written_at: DateTime<Utc>,
}

/// Writes it, in a transaction that is about it; whether its id was free.
pub(super) async fn insert(db: &mut Connection, new: &NewNote<'_>) -> Result<bool, StorageError> {
    const INSERT: &str = "\
        insert into notes (id, text, written_by, written_at) values ($1, $2, $3, $4) on conflict (id) do nothing";
    let query = diesel::sql_query(INSERT)
        .bind::<SqlUuid, _>(new.id)
        .bind::<Text, _>(new.text.as_str())
        .bind::<Text, _>(new.written_by)
        .bind::<Timestamptz, _>(new.written_at);
    Ok(query.execute(db).await? == 1)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: NoteId,
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = Text)]
    written_by: String,
    #[diesel(sql_type = Timestamptz)]
    written_at: DateTime<Utc>,
}

/// The note of an id, in a transaction that is about it.
pub(super) async fn find(db: &mut Connection, id: NoteId) -> Result<Option<Note>, StorageError> {
    const READ: &str = "select id, text, written_by, written_at from notes where id = $1";
    let row: Option<Row> = diesel::sql_query(READ).bind::<SqlUuid, _>(id).get_result(db).await.optional()?;
    let note = |Row { id, text, written_by, written_at }| Note { id, text, written_by, written_at };
    Ok(row.map(note))
}

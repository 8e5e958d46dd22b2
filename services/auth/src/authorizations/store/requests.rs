//! Pushed requests in the database.

use api::ClientId;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use identity::Thumbprint;
use storage::{AsText, Connection, Pool, StorageError};

use crate::authorizations::request::AuthorizationRequest;
use crate::opaque::Digest;
use crate::schema::pushed_requests;
use crate::store::{at, seek};

/// Interactions begun and passwords sent for one request, however many browsers bring it. So guessing on the pages costs
/// an authenticated client one pushed request for every so many guesses.
const MAX_ATTEMPTS: i32 = 20;

/// A request to be stored.
pub(crate) struct NewPushedRequest<'a> {
    pub(crate) digest: Digest,
    pub(crate) client_id: &'a ClientId,
    pub(crate) jkt: Option<&'a Thumbprint>,
    pub(crate) request: &'a AuthorizationRequest,
    pub(crate) expires: i64,
}

/// A request that is stored.
pub(crate) struct StoredRequest {
    pub(crate) client_id: ClientId,
    pub(crate) jkt: Option<Thumbprint>,
    pub(crate) request: AuthorizationRequest,
}

/// The same as the database has it.
#[derive(Queryable)]
pub(crate) struct Pushed {
    client_id: AsText<ClientId>,
    jkt: Option<AsText<Thumbprint>>,
    parameters: serde_json::Value,
}

pub(crate) async fn insert(pool: &Pool, row: &NewPushedRequest<'_>) -> Result<(), StorageError> {
    let parameters = serde_json::to_value(row.request).map_err(|error| corrupt(&error))?;
    let mut connection = storage::connection(pool).await?;
    diesel::insert_into(pushed_requests::table)
        .values((
            pushed_requests::id_hash.eq(&row.digest.0),
            pushed_requests::client_id.eq(AsText(row.client_id)),
            pushed_requests::jkt.eq(row.jkt.map(AsText)),
            pushed_requests::parameters.eq(parameters),
            pushed_requests::expires_at.eq(at(row.expires)?),
        ))
        .execute(&mut connection)
        .await?;
    Ok(())
}

/// A request that a browser may still bring: this client's, in time, not answered yet.
pub(crate) async fn usable(
    pool: &Pool,
    digest: &Digest,
    client_id: &ClientId,
    now: i64,
) -> Result<Option<StoredRequest>, StorageError> {
    let row = storage::transaction(pool, "pushed_requests.usable", async |db| {
        seek(db, &[digest]).await?;
        let row: Option<Pushed> = pushed_requests::table
            .filter(pushed_requests::id_hash.eq(&digest.0))
            .filter(pushed_requests::client_id.eq(AsText(client_id)))
            .filter(pushed_requests::expires_at.gt(at(now)?))
            .filter(pushed_requests::completed_at.is_null())
            .select((pushed_requests::client_id, pushed_requests::jkt, pushed_requests::parameters))
            .first(db)
            .await
            .optional()?;
        Ok::<_, StorageError>(row)
    });
    row.await?.map(Pushed::read).transpose()
}

/// Counts a try; false when there were too many.
pub(crate) async fn attempt(pool: &Pool, digest: &Digest) -> Result<bool, StorageError> {
    storage::transaction(pool, "pushed_requests.attempt", async |db| {
        seek(db, &[digest]).await?;
        let open = pushed_requests::table.find(&digest.0).filter(pushed_requests::attempts.lt(MAX_ATTEMPTS));
        let counted =
            diesel::update(open).set(pushed_requests::attempts.eq(pushed_requests::attempts + 1)).execute(db).await?;
        Ok(counted == 1)
    })
    .await
}

/// Answers a request, inside the transaction that writes the answer; false when it has been answered before.
///
/// This is where a `request_uri` is used up, not when it is first seen: browsers load pages ahead and again.
pub(crate) async fn complete(db: &mut Connection, digest: &Digest, now: i64) -> Result<bool, StorageError> {
    let open = pushed_requests::table
        .filter(pushed_requests::id_hash.eq(&digest.0))
        .filter(pushed_requests::completed_at.is_null());
    let completed = diesel::update(open).set(pushed_requests::completed_at.eq(at(now)?)).execute(db).await?;
    Ok(completed == 1)
}

impl Pushed {
    pub(crate) fn read(self) -> Result<StoredRequest, StorageError> {
        let request = serde_json::from_value(self.parameters).map_err(|error| corrupt(&error))?;
        Ok(StoredRequest { client_id: self.client_id.0, jkt: self.jkt.map(|jkt| jkt.0), request })
    }
}

fn corrupt(error: &serde_json::Error) -> StorageError {
    StorageError::Query(diesel::result::Error::DeserializationError(error.to_string().into()))
}

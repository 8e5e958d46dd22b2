//! `/v1/transfers`.

use actix_web::{HttpResponse, web};
use api::Id;
use api::scope::{AccountsRead, TransfersWrite};
use api::transfers::{PostTransfer, Transfer};
use defense::{Caller, IdempotencyKey, created};
use runtime::{ApiJson, Problem};

use super::{post, store};
use crate::error::{Error, Resource};
use crate::state::State;

/// `POST /v1/transfers`.
pub async fn post(
    caller: Caller<TransfersWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostTransfer>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let posted = post::post(&state, &caller.subject, key.as_str(), request).await;
    let (transfer, replayed) = posted.map_err(|error| error.told(&caller))?;
    Ok(created(&transfer, replayed))
}

/// `GET /v1/transfers/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Transfer>, Problem> {
    let id = path.uuid();
    let row = storage::subject_transaction(&state.pool, "transfers.get", &caller.subject, async |db| {
        store::find(db, id).await?.ok_or(Error::Missing(Resource::Transfer))
    })
    .await
    .map_err(|error| error.told(&caller))?;
    Ok(web::Json(row.wire()?))
}

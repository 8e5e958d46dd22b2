//! `/v1/transfers`.

use actix_web::web;
use api::Id;
use api::scope::{AccountsRead, TransfersWrite};
use api::transfers::{PostTransfer, Transfer};
use defense::{Caller, Created, IdempotencyKey, Notes};
use runtime::ApiJson;

use super::{post, store};
use crate::error::{Error, Resource};
use crate::idempotent::Idempotent;
use crate::state::State;

/// `POST /v1/transfers`.
pub async fn post(
    caller: Caller<TransfersWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostTransfer>,
    notes: Notes,
    state: web::Data<State>,
) -> Result<Created<Transfer>, Error> {
    let Idempotent { result, replayed } = post::post(&state, &caller, &notes, &key.into(), request).await?;
    Ok(Created::new(result, replayed).made(|transfer| transfer.id))
}

/// `GET /v1/transfers/{id}`.
pub async fn get(
    caller: Caller<AccountsRead>,
    path: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Transfer>, Error> {
    let id = path.into_inner().into();
    let row = storage::subject_transaction(&state.pool, "transfers.get", &caller.subject, async |db| {
        store::find(db, id).await?.ok_or(Error::Missing(Resource::Transfer))
    })
    .await?;
    Ok(web::Json(row.wire()))
}

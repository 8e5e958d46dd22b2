//! `/internal/v1/suspense`, for the operator.

use actix_web::web;
use api::Id;
use api::internal::{Allocate, SuspensePage, SuspenseQuery};
use api::service::Operator;
use api::transfers::Transfer;
use defense::{Created, Peer};
use runtime::ApiJson;

use super::{allocate, list};
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::state::State;

/// `GET /internal/v1/suspense`.
pub async fn list(
    _operator: Peer<Operator>,
    query: web::Query<SuspenseQuery>,
    state: web::Data<State>,
) -> Result<web::Json<SuspensePage>, Error> {
    Ok(web::Json(list::page(&state, &query).await?))
}

/// `POST /internal/v1/suspense/{id}/allocate`.
pub async fn allocate(
    _operator: Peer<Operator>,
    item: web::Path<Id>,
    ApiJson(request): ApiJson<Allocate>,
    state: web::Data<State>,
) -> Result<Created<Transfer>, Error> {
    let Idempotent { result, replayed } =
        allocate::allocate(&state, item.into_inner().into(), request.account_id.into()).await?;
    Ok(Created::new(result, replayed).made(|transfer| transfer.id))
}

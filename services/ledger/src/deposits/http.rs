//! `/internal/v1/deposits`.

use actix_web::{HttpResponse, web};
use api::internal::Deposit;
use api::service::Broker;
use defense::{Peer, created};
use runtime::ApiJson;

use super::post;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::state::State;

/// `POST /internal/v1/deposits`.
pub async fn post(
    _broker: Peer<Broker>,
    ApiJson(deposit): ApiJson<Deposit>,
    state: web::Data<State>,
) -> Result<HttpResponse, Error> {
    let Idempotent { result, replayed } = post::post(&state, &deposit).await?;
    Ok(created(result.id, &result, replayed))
}

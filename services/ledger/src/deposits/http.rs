//! `/internal/v1/deposits`.

use actix_web::web;
use api::internal::Deposit;
use api::service::Broker;
use api::transfers::Transfer;
use defense::{Created, Peer};
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
) -> Result<Created<Transfer>, Error> {
    let Idempotent { result, replayed } = post::post(&state, &deposit).await?;
    Ok(Created::new(result, replayed).made(|transfer| transfer.id))
}

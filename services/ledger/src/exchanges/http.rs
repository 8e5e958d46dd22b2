//! `/v1/exchanges`.

use actix_web::web;
use api::exchanges::{Exchange, PostExchange};
use api::scope::ExchangesWrite;
use defense::{Caller, Created, IdempotencyKey};
use runtime::ApiJson;

use super::exchange::exchange;
use crate::error::Error;
use crate::idempotent::Idempotent;
use crate::ids::Subject;
use crate::state::State;

/// `POST /v1/exchanges`.
pub async fn post(
    caller: Caller<ExchangesWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostExchange>,
    state: web::Data<State>,
) -> Result<Created<Exchange>, Error> {
    let Idempotent { result, replayed } = exchange(&state, &Subject::from(&*caller), &key.into(), &request).await?;
    Ok(Created::new(result, replayed).made(|exchange| exchange.id))
}

//! `/v1/exchanges`.

use actix_web::{HttpResponse, web};
use api::exchanges::PostExchange;
use api::scope::ExchangesWrite;
use defense::{Caller, IdempotencyKey, created};
use runtime::{ApiJson, Problem};

use super::exchange::exchange;
use crate::state::State;

/// `POST /v1/exchanges`.
pub async fn post(
    caller: Caller<ExchangesWrite>,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<PostExchange>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let exchanged = exchange(&state, &caller.subject, key.as_str(), &request).await;
    let (exchange, replayed) = exchanged.map_err(|error| error.told(&caller))?;
    Ok(created(&exchange, replayed))
}

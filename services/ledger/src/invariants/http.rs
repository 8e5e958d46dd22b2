//! `/internal/v1/invariants`.

use actix_web::web;
use api::internal::Invariants;
use api::service::Operator;
use defense::Peer;
use runtime::Problem;

use super::store;
use crate::state::State;

/// `GET /internal/v1/invariants`.
pub async fn get(_operator: Peer<Operator>, state: web::Data<State>) -> Result<web::Json<Invariants>, Problem> {
    let mut db = storage::connection(&state.poster).await?;
    Ok(web::Json(store::count(&mut db).await?))
}

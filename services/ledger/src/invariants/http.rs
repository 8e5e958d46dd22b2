//! `/internal/v1/invariants`.

use std::time::Duration;

use actix_web::web;
use api::internal::Invariants;
use api::service::Operator;
use defense::Peer;

use super::store;
use crate::error::Error;
use crate::state::State;

/// How long an answer may go on through what is new.
const PATIENCE: Duration = Duration::from_secs(3);

/// `GET /internal/v1/invariants`.
pub async fn get(_operator: Peer<Operator>, state: web::Data<State>) -> Result<web::Json<Invariants>, Error> {
    let mut db = storage::connection(&state.poster).await?;
    Ok(web::Json(store::count(&mut db, PATIENCE).await?))
}

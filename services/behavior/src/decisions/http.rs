//! `GET /internal/v1/decisions/{id}`, for the operator.

use actix_web::web;
use api::Id;
use api::behavior::Decision;
use api::service::Operator;
use defense::Peer;

use super::{Found, read};
use crate::error::Error;
use crate::state::State;

pub(crate) async fn get(
    _operator: Peer<Operator>,
    id: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Decision>, Error> {
    let found = read(&state.pool, id.into_inner().into()).await?;
    let Found { decision, names, label } = found.ok_or(Error::DecisionUnknown)?;
    Ok(web::Json(decision.wire(names, label)))
}

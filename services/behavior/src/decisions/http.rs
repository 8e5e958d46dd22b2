//! `GET /internal/v1/decisions/{id}`, for the operator.

use actix_web::web;
use api::Id;
use api::behavior::Decision;
use api::service::Operator;
use defense::Peer;
use storage::subject_transaction;

use super::store::{self, Found};
use crate::error::Error;
use crate::ids::DecisionId;
use crate::state::State;

pub(crate) async fn get(
    _operator: Peer<Operator>,
    id: web::Path<Id>,
    state: web::Data<State>,
) -> Result<web::Json<Decision>, Error> {
    let id: DecisionId = id.into_inner().into();
    // It is seen by who says which one.
    let subject = id.to_string();
    let found =
        subject_transaction(&state.pool, "decisions.find", &subject, async |db| store::find(db, id).await).await;
    let Found { decision, names, label } = found?.ok_or(Error::DecisionUnknown)?;
    Ok(web::Json(decision.wire(names, label)))
}

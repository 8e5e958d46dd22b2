//! `POST /internal/v1/labels`, for the operator.

use actix_web::web;
use api::behavior::{Labelled, NewLabel};
use api::service::{Operator, Workload as _};
use defense::Peer;
use runtime::ApiJson;

use super::label;
use crate::error::Error;
use crate::state::State;

pub(crate) async fn post(
    _operator: Peer<Operator>,
    ApiJson(said): ApiJson<NewLabel>,
    state: web::Data<State>,
) -> Result<web::Json<Labelled>, Error> {
    Ok(web::Json(label(&state, &said, Operator::NAME).await?))
}

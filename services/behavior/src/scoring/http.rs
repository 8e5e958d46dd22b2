//! `POST /internal/v1/scores`.

use actix_web::web;
use api::behavior::{ScoreRequests, ScoreResults};
use api::service::{Ledger, Workload as _};
use defense::Peer;
use runtime::ApiJson;

use super::score;
use crate::error::Error;
use crate::state::State;

pub(crate) async fn post(
    _: Peer<Ledger>,
    ApiJson(batch): ApiJson<ScoreRequests>,
    state: web::Data<State>,
) -> Result<web::Json<ScoreResults>, Error> {
    let results = score::score(&state, &batch.requests, Ledger::NAME).await?;
    Ok(web::Json(ScoreResults { results }))
}

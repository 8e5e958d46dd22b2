//! `POST /internal/v1/scores`.

use actix_web::web;
use api::behavior::{Score, ScoreRequest};
use api::service::Ledger;
use defense::Peer;
use runtime::ApiJson;

use super::score;
use crate::error::Error;
use crate::state::State;

pub(crate) async fn post(
    _ledger: Peer<Ledger>,
    ApiJson(asked): ApiJson<ScoreRequest>,
    state: web::Data<State>,
) -> Result<web::Json<Score>, Error> {
    Ok(web::Json(score::score(&state, &asked).await?))
}

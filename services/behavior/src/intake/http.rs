//! `POST /internal/v1/events`. Payments are the ledger's to tell: whoever tells of them makes profiles.

use actix_web::web;
use api::behavior::{EventResults, Events};
use api::service::{Ledger, Workload as _};
use defense::Peer;
use runtime::ApiJson;

use super::take;
use crate::error::Error;
use crate::state::State;

pub(crate) async fn post(
    _: Peer<Ledger>,
    ApiJson(batch): ApiJson<Events>,
    state: web::Data<State>,
) -> Result<web::Json<EventResults>, Error> {
    let results = take::take(&state, &batch.events, Ledger::NAME).await?;
    Ok(web::Json(EventResults { results }))
}

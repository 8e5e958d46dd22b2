//! `POST /v1/challenges`. Public: whoever asks is not known yet, and a challenge is worth nothing without a genuine phone.

use std::sync::Arc;

use actix_web::web;
use api::attestation::{Challenge, RequestChallenge};
use defense::{KeyedApp, Public};
use runtime::ApiJson;
use runtime::contract::JsonAnswer;

use crate::error::Error;
use crate::state::State;

pub(crate) async fn create(
    _: Public,
    keyed: web::ReqData<Arc<KeyedApp>>,
    state: web::Data<State>,
    body: ApiJson<RequestChallenge>,
) -> Result<JsonAnswer<Challenge, 201>, Error> {
    if keyed.platform != body.0.platform {
        return Err(Error::AppOfAnotherKey);
    }
    let challenge = state.challenges.issue(body.0.platform, body.0.purpose, state.clock.unix())?;
    Ok(JsonAnswer(challenge))
}

//! `POST /v1/attestations` and `POST /v1/assertions`. Public: this is where a caller becomes known.

use actix_web::{HttpResponse, web};
use api::attestation::{Assert, Attest};
use defense::Public;
use runtime::{ApiJson, Problem};

use crate::state::State;

pub(crate) async fn attest(_: Public, state: web::Data<State>, body: ApiJson<Attest>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Created().json(super::attest(&state, &body.0).await?))
}

pub(crate) async fn assert(_: Public, state: web::Data<State>, body: ApiJson<Assert>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Created().json(super::assert(&state, &body.0).await?))
}

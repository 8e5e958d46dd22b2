//! `POST /internal/v1/events`.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use api::behavior::{EventResults, Events};
use api::service::{Attestation, Auth, Ledger, Workload};
use defense::{Access, Guard, peer_not_allowed};
use runtime::{ApiJson, PeerId, Refusal};
use std::future::{Ready, ready};

use super::take;
use crate::error::Error;
use crate::state::State;

/// A service that sees things happen.
pub(crate) struct Reporter(PeerId);

impl Guard for Reporter {
    fn access() -> Access {
        Access::Peer("auth, attestation or ledger")
    }
}

impl FromRequest for Reporter {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let reporters = [Auth::NAME, Attestation::NAME, Ledger::NAME];
        match PeerId::of(request) {
            Some(peer) if reporters.contains(&peer.name()) => ready(Ok(Self(peer))),
            _ => ready(Err(peer_not_allowed(request))),
        }
    }
}

pub(crate) async fn post(
    reporter: Reporter,
    ApiJson(batch): ApiJson<Events>,
    state: web::Data<State>,
) -> Result<web::Json<EventResults>, Error> {
    let results = take::take(&state, &batch.events, reporter.0.name()).await?;
    Ok(web::Json(EventResults { results }))
}

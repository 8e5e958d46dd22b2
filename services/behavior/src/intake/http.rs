//! `POST /internal/v1/events`. Payments are the ledger's to tell, and what happens at the door is auth's: whoever tells of them makes profiles.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use api::behavior::{EventResults, Events};
use api::service::{Auth, Ledger, Workload as _};
use defense::{Access, Guard, peer_not_allowed};
use runtime::{ApiJson, PeerId, Refusal};

use super::take;
use crate::error::Error;
use crate::state::State;

/// A peer that has something to tell.
pub(crate) struct Teller(&'static str);

impl Guard for Teller {
    fn access() -> Access {
        Access::Peer("ledger or auth, each of what it sees")
    }
}

impl FromRequest for Teller {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let peer = PeerId::of(request);
        let name =
            [Ledger::NAME, Auth::NAME].into_iter().find(|name| peer.as_ref().is_some_and(|peer| peer.name() == *name));
        ready(name.map(Self).ok_or_else(|| peer_not_allowed(request)))
    }
}

pub(crate) async fn post(
    teller: Teller,
    ApiJson(batch): ApiJson<Events>,
    state: web::Data<State>,
) -> Result<web::Json<EventResults>, Error> {
    let results = take::take(&state, &batch.events, teller.0).await?;
    Ok(web::Json(EventResults { results }))
}

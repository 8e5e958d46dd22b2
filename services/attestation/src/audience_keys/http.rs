//! `GET /internal/v1/audience-keys`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use api::internal::AudienceKeys;
use defense::{Access, Guard, peer_not_allowed};
use runtime::{PeerId, Refusal};

use crate::state::State;

/// A peer that is an audience: its keys are the ones it gets.
pub(crate) struct Verifier(String);

impl Guard for Verifier {
    fn access() -> Access {
        Access::Peer("any audience, for its own keys")
    }
}

impl FromRequest for Verifier {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let peer = PeerId::of(request);
        let name = peer.as_ref().map(PeerId::name);
        let issuer = request.app_data::<web::Data<State>>().map(|state| &state.issuer);
        match (name, issuer) {
            (Some(name), Some(issuer)) if issuer.serves(name) => ready(Ok(Self(name.to_owned()))),
            _ => ready(Err(peer_not_allowed(request))),
        }
    }
}

pub(crate) async fn list(verifier: Verifier, state: web::Data<State>) -> web::Json<AudienceKeys> {
    let keys = state.issuer.audience_keys(&verifier.0, state.clock.unix());
    web::Json(keys.to_wire(&verifier.0))
}

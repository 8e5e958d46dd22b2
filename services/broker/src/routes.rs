//! The tables of routes, and the guard of the route whose callers are in the manifests.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest};
use defense::{Access, Guard, Routes};
use runtime::{PeerId, Problem};

use crate::{operations, webhooks};

/// What third parties reach: webhooks, and nothing else.
pub fn public() -> Routes {
    Routes::public().add(
        Method::POST,
        "/webhooks/{provider}",
        "Take a signed webhook; it is acknowledged once it is stored",
        webhooks::http::post,
    )
}

/// What the services of the house reach.
pub fn internal() -> Routes {
    Routes::internal().add(
        Method::POST,
        "/internal/v1/operations/{provider}/{operation}",
        "Call an operation of a third party",
        operations::http::post,
    )
}

/// Any workload of the house, proven by its certificate. Which of them may call which operation stands in the operation's
/// manifest, and is checked before anything else about the call.
pub struct Workload(PeerId);

impl Workload {
    /// Its name.
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl Guard for Workload {
    fn access() -> Access {
        Access::Peer("as the operation's manifest says")
    }
}

impl FromRequest for Workload {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(PeerId::of(request).map(Self).ok_or_else(Problem::forbidden))
    }
}

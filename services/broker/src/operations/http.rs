//! `POST /internal/v1/operations/{provider}/{operation}`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use api::broker::{Call, CallResult};
use defense::{Access, Guard, peer_not_allowed};
use runtime::{ApiJson, PeerId, Refusal};

use super::Operations;
use crate::error::Error;
use crate::ids::{OperationName, ProviderName};

/// Any workload of the house, proven by its certificate. Which of them may call which operation stands in the operation's
/// manifest, and is checked before anything else about the call.
pub struct Workload(PeerId);

impl Workload {
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
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(PeerId::of(request).map(Self).ok_or_else(|| peer_not_allowed(request)))
    }
}

/// Calls an operation. Who may is in the operation's manifest, so the guard only demands that the caller is somebody.
pub async fn post(
    caller: Workload,
    path: web::Path<(ProviderName, OperationName)>,
    ApiJson(call): ApiJson<Call>,
    operations: web::Data<Operations>,
) -> Result<web::Json<CallResult>, Error> {
    let (provider, operation) = path.into_inner();
    let result = operations.call(caller.name(), &provider, &operation, &call).await?;
    Ok(web::Json(CallResult { result: result.as_ref().clone() }))
}

//! `POST /internal/v1/operations/{provider}/{operation}`.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev, web};
use api::broker::{Call, CallResult};
use defense::{Access, Guard, peer_not_allowed};
use runtime::{ApiJson, PeerId, Refuse as _, Who};

use super::Operations;
use crate::error::Error;
use crate::ids::{OperationName, ProviderName};

/// The workload that calls. It may call this operation, by the operation's manifest: that is found before a byte of the call is read, so that
/// nobody else learns what the operation takes.
pub struct Entitled {
    caller: PeerId,
}

impl Guard for Entitled {
    fn access() -> Access {
        Access::Peer("as the operation's manifest says")
    }
}

impl FromRequest for Entitled {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        ready(web::Path::from_request(request, payload).into_inner().and_then(|path| Self::find(request, &path)))
    }
}

impl Entitled {
    fn find(request: &HttpRequest, (provider, operation): &Place) -> Result<Self, actix_web::Error> {
        let caller = PeerId::of(request).ok_or_else(|| peer_not_allowed(request))?;
        let operations = request.app_data::<web::Data<Operations>>();
        let operations = operations.ok_or(Error::Invariant("a route of operations without any"));
        match operations.and_then(|operations| Ok(operations.find(caller.name(), provider, operation)?)) {
            Ok(_) => Ok(Self { caller }),
            Err(error) => {
                let caller = Who::of(request);
                Err(error.refusal(&caller).about(caller).into())
            }
        }
    }
}

type Place = (ProviderName, OperationName);

/// Calls an operation.
pub async fn post(
    entitled: Entitled,
    path: web::Path<Place>,
    ApiJson(call): ApiJson<Call>,
    operations: web::Data<Operations>,
) -> Result<web::Json<CallResult>, Error> {
    let (provider, operation) = path.into_inner();
    let result = operations.call(entitled.caller.name(), &provider, &operation, &call).await?;
    Ok(web::Json(CallResult { result: result.as_ref().clone() }))
}

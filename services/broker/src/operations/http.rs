//! `POST /internal/v1/operations/{provider}/{operation}`.

use actix_web::web;
use api::broker::{Call, CallResult};
use defense::{AnyPeer, Terms};
use runtime::ApiJson;

use super::Operations;
use crate::error::Error;
use crate::ids::{OperationName, ProviderName};

/// Which workload may call which operation stands in the operation's manifest, and is checked before anything else about the call.
pub struct AsTheManifestSays;

impl Terms for AsTheManifestSays {
    const WORDS: &'static str = "as the operation's manifest says";
}

/// Calls an operation. Who may is in the operation's manifest, so the guard only demands that the caller is somebody.
pub async fn post(
    caller: AnyPeer<AsTheManifestSays>,
    path: web::Path<(ProviderName, OperationName)>,
    ApiJson(call): ApiJson<Call>,
    operations: web::Data<Operations>,
) -> Result<web::Json<CallResult>, Error> {
    let (provider, operation) = path.into_inner();
    let result = operations.call(caller.name(), &provider, &operation, &call).await?;
    Ok(web::Json(CallResult { result: result.as_ref().clone() }))
}

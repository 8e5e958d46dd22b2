//! `POST /internal/v1/operations/{provider}/{operation}`.

use actix_web::web;
use api::broker::{Answer, Call};
use runtime::{ApiJson, Problem};

use super::Desk;
use crate::routes::Workload;

/// Calls an operation. Who may is in the operation's manifest, so the guard only demands that the caller is somebody.
pub async fn post(
    caller: Workload,
    path: web::Path<(String, String)>,
    ApiJson(call): ApiJson<Call>,
    desk: web::Data<Desk>,
) -> Result<web::Json<Answer>, Problem> {
    let (provider, operation) = path.into_inner();
    let result = desk.call(caller.name(), &provider, &operation, &call).await?;
    Ok(web::Json(Answer { result: result.as_ref().clone() }))
}

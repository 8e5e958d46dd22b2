//! `/internal/v1/second-factor-removals`, for the operator.

use actix_web::web;
use api::internal::{RemoveSecondFactor, SecondFactorRemoved};
use api::service::Operator;
use defense::Peer;
use runtime::ApiJson;

use super::{Error, remove_second_factor};
use crate::provider::Provider;

/// `POST /internal/v1/second-factor-removals`. Asked again, there is nothing left to remove.
pub async fn post_removal(
    _operator: Peer<Operator>,
    ApiJson(whose): ApiJson<RemoveSecondFactor>,
    provider: web::Data<Provider>,
) -> Result<web::Json<SecondFactorRemoved>, Error> {
    Ok(web::Json(remove_second_factor(&provider, &whose).await?))
}

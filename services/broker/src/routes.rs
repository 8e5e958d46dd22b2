//! The tables of routes. What a handler refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::{operations, webhooks};

runtime::problems! {
    /// Of a webhook that is not believed, or whose id was another event's.
    Webhook: 401 WEBHOOK_REFUSED, 409 WEBHOOK_REFUSED;
    /// Of an operation that was not done.
    Operation:
        400 PARAMETERS_INVALID, 400 KEY_MISSING, 400 KEY_INVALID, 404 OPERATION_UNKNOWN, 422 UPSTREAM_REFUSED, 502 UPSTREAM_FAILED,
        503 UPSTREAM_UNAVAILABLE;
}

/// What third parties reach: webhooks, and nothing else.
pub fn public() -> Routes {
    Routes::public().add(
        policy::Webhook,
        Method::POST,
        "/webhooks/{provider}",
        "Take a signed webhook; it is acknowledged once it is stored",
        with_refusals::<Webhook, _>(webhooks::http::post),
    )
}

/// What the services of the house reach.
pub fn internal() -> Routes {
    Routes::internal().add(
        policy::Internal,
        Method::POST,
        "/internal/v1/operations/{provider}/{operation}",
        "Call an operation of a third party",
        with_refusals::<Operation, _>(operations::http::post),
    )
}

//! The tables of routes. What a handler refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::{operations, webhooks};

/// What third parties reach: webhooks, and nothing else.
pub fn public() -> Routes {
    Routes::public().add(
        policy::Webhook,
        Method::POST,
        "/webhooks/{provider}",
        "Take a signed webhook; it is acknowledged once it is stored",
        with_refusals(webhooks::http::post),
    )
}

/// What the services of the house reach.
pub fn internal() -> Routes {
    Routes::internal().add(
        policy::Internal,
        Method::POST,
        "/internal/v1/operations/{provider}/{operation}",
        "Call an operation of a third party",
        with_refusals(operations::http::post),
    )
}

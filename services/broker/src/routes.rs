//! The tables of routes. What a handler refuses is told in one way ([`told`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::told;

use crate::{operations, webhooks};

/// What third parties reach: webhooks, and nothing else.
pub fn public() -> Routes {
    Routes::public().add(
        policy::Webhook,
        Method::POST,
        "/webhooks/{provider}",
        "Take a signed webhook; it is acknowledged once it is stored",
        told(webhooks::http::post),
    )
}

/// What the services of the house reach.
pub fn internal() -> Routes {
    Routes::internal().add(
        policy::Internal,
        Method::POST,
        "/internal/v1/operations/{provider}/{operation}",
        "Call an operation of a third party",
        told(operations::http::post),
    )
}

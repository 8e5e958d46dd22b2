//! The tables of routes. What a route demands is in its handler's type; what it refuses is told in one way ([`told`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::told;

use crate::{accounts, deposits, exchanges, invariants, payouts, suspense, transfers};

/// What phones reach, behind the layers.
pub fn public() -> Routes {
    Routes::public()
        .add(
            policy::Read,
            Method::GET,
            "/v1/accounts",
            "List the caller's accounts, oldest first, a page at a time",
            told(accounts::http::list),
        )
        .add(policy::Money, Method::POST, "/v1/accounts", "Open an account", told(accounts::http::post))
        .add(policy::Read, Method::GET, "/v1/accounts/{id}", "Read one account", told(accounts::http::get))
        .add(
            policy::Read,
            Method::GET,
            "/v1/accounts/{id}/entries",
            "Read an account's statement, newest first, a page at a time",
            told(accounts::http::entries),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/transfers",
            "Move money to another account in the house",
            told(transfers::http::post),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/transfers/{id}",
            "Read a transfer that the caller is part of",
            told(transfers::http::get),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/exchanges",
            "Change one currency into another",
            told(exchanges::http::post),
        )
        .add(policy::Money, Method::POST, "/v1/payouts", "Pay money out to another bank", told(payouts::http::post))
        .add(policy::Read, Method::GET, "/v1/payouts/{id}", "Read where a payout stands", told(payouts::http::get))
}

/// What the broker and the operator reach.
pub fn internal() -> Routes {
    Routes::internal()
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/deposits",
            "Book money that a partner has received",
            told(deposits::http::post),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/payout-events",
            "Take a partner's word on a payout",
            told(payouts::http::post_event),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/suspense",
            "List money that could not be credited",
            told(suspense::http::list),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/suspense/{id}/allocate",
            "Take money out of suspense to its owner",
            told(suspense::http::allocate),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/invariants",
            "Count what must always hold",
            told(invariants::http::get),
        )
}

//! The tables of routes. What a route demands is in its handler's type; what it refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::{
    accounts, approvals, deposits, exchanges, invariants, payees, payouts, problems, stops, suspense, transfers,
};

/// What phones reach, behind the layers.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn public() -> Routes {
    Routes::public()
        .add(
            policy::Read,
            Method::GET,
            "/v1/accounts",
            "List the caller's accounts, oldest first, a page at a time",
            with_refusals::<(), _>(accounts::http::list),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/accounts",
            "Open an account",
            with_refusals::<problems::Opening, _>(accounts::http::post),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/accounts/{id}",
            "Read one account",
            with_refusals::<problems::Account, _>(accounts::http::get),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/accounts/{id}/entries",
            "Read an account's statement, newest first, a page at a time",
            with_refusals::<problems::Account, _>(accounts::http::entries),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/transfers",
            "Move money to another account in the house",
            with_refusals::<problems::Transfer, _>(transfers::http::post),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/transfers/{id}",
            "Read a transfer that the caller is part of",
            with_refusals::<problems::OneTransfer, _>(transfers::http::get),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/exchanges",
            "Change one currency into another",
            with_refusals::<problems::Exchange, _>(exchanges::http::post),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/payees",
            "List the caller's payees, oldest first, a page at a time",
            with_refusals::<(), _>(payees::http::list),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/payees",
            "Add a payee at another bank",
            with_refusals::<problems::NewPayee, _>(payees::http::post),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/payees/{id}",
            "Read one payee",
            with_refusals::<problems::Payee, _>(payees::http::get),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/payees/{id}/removal",
            "Remove a payee",
            with_refusals::<problems::Payee, _>(payees::http::remove),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/payouts",
            "Pay money out to another bank",
            with_refusals::<problems::Payout, _>(payouts::http::post),
        )
        .add(
            policy::Read,
            Method::GET,
            "/v1/payouts/{id}",
            "Read where a payout stands",
            with_refusals::<problems::OnePayout, _>(payouts::http::get),
        )
        .add(
            policy::Money,
            Method::POST,
            "/v1/payouts/{id}/cancellation",
            "Take back a payout that is held",
            with_refusals::<problems::Cancellation, _>(payouts::http::cancel),
        )
}

/// What the broker and the operator reach.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn internal() -> Routes {
    Routes::internal()
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/deposits",
            "Book money that a partner has received",
            with_refusals::<problems::Deposit, _>(deposits::http::post),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/payout-events",
            "Take a partner's word on a payout",
            with_refusals::<problems::PayoutEvent, _>(payouts::http::post_event),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/suspense",
            "List money that could not be credited",
            with_refusals::<(), _>(suspense::http::list),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/suspense/{id}/allocate",
            "Take money out of suspense to its owner",
            with_refusals::<problems::Allocation, _>(suspense::http::allocate),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/payouts/{id}/withdrawal",
            "Take back a payout that nobody has begun to send, in its payer's stead",
            with_refusals::<problems::Cancellation, _>(payouts::http::withdraw),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/stops",
            "List the stops of customers, oldest first, a page at a time",
            with_refusals::<(), _>(stops::http::list),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/stops",
            "Stop a customer: nothing that they order is posted or sent",
            with_refusals::<problems::NewStop, _>(stops::http::begin),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/stops/{id}/end",
            "End a stop",
            with_refusals::<problems::OneStop, _>(stops::http::end),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/approvals/{id}",
            "Read a payment that waits for this user's approval",
            with_refusals::<problems::OneApproval, _>(approvals::http::get),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/invariants",
            "Count what must always hold",
            with_refusals::<(), _>(invariants::http::get),
        )
}

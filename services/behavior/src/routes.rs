//! All routes; none of them is public. The permission stands in the handler's type; what it refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::{decisions, desk, intake, labels, scoring};

runtime::problems! {
    /// Of a decision that is asked for.
    OneDecision: 404 DECISION_NOT_FOUND;
    /// Of a word on a payment that nobody has heard of.
    Labelling: 404 DECISION_NOT_FOUND, 404 EVENT_NOT_FOUND;
}

/// What the other services, the operator and the analysts reach.
pub(crate) fn internal() -> Routes {
    Routes::internal()
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/events",
            "Take what has happened; each event is learned once",
            with_refusals::<(), _>(intake::http::post),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/scores",
            "Say how much each payment looks like its user, and why",
            with_refusals::<(), _>(scoring::http::post),
        )
        .add(
            policy::Internal,
            Method::GET,
            "/internal/v1/decisions/{id}",
            "Read a decision with all that it rests on",
            with_refusals::<OneDecision, _>(decisions::http::get),
        )
        .add(
            policy::Internal,
            Method::POST,
            "/internal/v1/labels",
            "Take a word on what a payment turned out to be",
            with_refusals::<Labelling, _>(labels::http::post),
        )
        .add(policy::Desk, Method::GET, "/desk", "Alerts, the newest first", with_refusals::<(), _>(desk::http::alerts))
        .add(
            policy::Desk,
            Method::GET,
            "/desk/cases/{id}",
            "A payment among the others of its user",
            with_refusals::<OneDecision, _>(desk::http::case),
        )
        .add(
            policy::Desk,
            Method::POST,
            "/desk/cases/{id}",
            "Take an analyst's word on it",
            with_refusals::<OneDecision, _>(desk::http::say),
        )
        .add(
            policy::Desk,
            Method::GET,
            "/desk/dry-run",
            "What a model and rules would have done that are tried",
            with_refusals::<(), _>(desk::http::dry_run),
        )
}

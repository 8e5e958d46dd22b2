//! All routes. The permission stands in the handler's type; what it refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::{attestations, audience_keys, challenges};

/// What phones reach.
pub(crate) fn public() -> Routes {
    Routes::public()
        .add(
            policy::Challenge,
            Method::POST,
            "/v1/challenges",
            "A challenge for one attestation or assertion",
            with_refusals(challenges::http::create),
        )
        .add(
            policy::Challenge,
            Method::POST,
            "/v1/attestations",
            "A new instance shows its evidence",
            with_refusals(attestations::http::attest),
        )
        .add(
            policy::Challenge,
            Method::POST,
            "/v1/assertions",
            "A known instance renews its tokens",
            with_refusals(attestations::http::assert),
        )
}

/// What the other services reach.
pub(crate) fn internal() -> Routes {
    Routes::internal().add(
        policy::Internal,
        Method::GET,
        "/internal/v1/audience-keys",
        "The calling verifier's own keys",
        audience_keys::http::list,
    )
}

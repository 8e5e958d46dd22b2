//! All routes. The permission stands in the handler's type; what it refuses becomes an answer in one way ([`with_refusals`]).

use actix_web::http::Method;
use defense::{Routes, policy};
use runtime::with_refusals;

use crate::{attestations, audience_keys, challenges};

runtime::problems! {
    /// Of a challenge: the key is another platform's.
    Challenge: 403 CLIENT_UNKNOWN;
    /// Of evidence that cannot be looked at. What is wrong with evidence itself is told to nobody.
    Evidence: 400 CHALLENGE_INVALID, 400 EVIDENCE_MALFORMED, 403 CLIENT_UNKNOWN;
    /// Of an instance that renews.
    Renewal: 400 CHALLENGE_INVALID, 400 EVIDENCE_MALFORMED, 403 CLIENT_UNKNOWN, 404 INSTANCE_UNKNOWN;
}

/// What phones reach.
pub(crate) fn public() -> Routes {
    Routes::public()
        .add(
            policy::Challenge,
            Method::POST,
            "/v1/challenges",
            "A challenge for one attestation or assertion",
            with_refusals::<Challenge, _>(challenges::http::create),
        )
        .add(
            policy::Challenge,
            Method::POST,
            "/v1/attestations",
            "A new instance shows its evidence",
            with_refusals::<Evidence, _>(attestations::http::attest),
        )
        .add(
            policy::Challenge,
            Method::POST,
            "/v1/assertions",
            "A known instance renews its tokens",
            with_refusals::<Renewal, _>(attestations::http::assert),
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

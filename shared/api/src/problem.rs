//! Refusals: RFC 9457 `application/problem+json` and the stable codes in it.
//!
//! A code is part of the API: it is never renamed, and it says no more than the client may know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Media type of a refusal (RFC 9457 §6.1).
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Prefix of the `type` member; the code follows it.
pub const TYPE_BASE: &str = "https://redoubt.dev/problems/";

/// A refusal as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// URI that identifies the kind of problem: `https://redoubt.dev/problems/` and the code.
    #[serde(rename = "type")]
    #[schemars(extend("format" = "uri", "examples" = ["https://redoubt.dev/problems/request.invalid"]))]
    pub kind: String,
    /// The stable code, e.g. `ledger.insufficient_funds`.
    #[schemars(extend("examples" = [code::REQUEST_INVALID]))]
    pub code: String,
    /// A short summary, the same for every occurrence.
    #[schemars(extend("examples" = ["The request is not valid"]))]
    pub title: String,
    /// The HTTP status of the answer, again.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What is wrong with this request, when it helps and leaks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The offending field as a path, e.g. `amount.currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The request's id, to quote to support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub request_id: Option<String>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $text;)+

        /// Every code with what it means.
        pub const MEANINGS: &[(&str, &str)] = &[$(($text, concat!($($doc),+))),+];
    };
}

/// Codes that any service may answer.
pub mod code {
    codes! {
        /// The body, a path segment or a query parameter is not what it should be.
        REQUEST_INVALID = "request.invalid";
        /// The field is one that travels sealed, and came in the clear.
        FIELD_SEALED_REQUIRED = "request.field_sealed_required";
        /// The field is sealed, and not so that the service opens it here.
        FIELD_SEALED_INVALID = "request.field_sealed_invalid";
        /// The body is not of the media type that this route takes.
        UNSUPPORTED_MEDIA_TYPE = "request.unsupported_media_type";
        /// The body is larger than this route takes, or the target or the head larger than any.
        TOO_LARGE = "request.too_large";
        /// No such route or resource.
        NOT_FOUND = "request.not_found";
        /// The route exists, but not with this method.
        METHOD_NOT_ALLOWED = "request.method_not_allowed";
        /// The request is for another host.
        MISDIRECTED = "request.misdirected";
        /// Too many requests (`Retry-After`).
        RATE_LIMITED = "request.rate_limited";
        /// No app of ours, or none that is let in.
        CLIENT_UNKNOWN = "client.unknown";
        /// The edge before the services takes the request for an attack; none of them has seen it.
        EDGE_REFUSED = "edge.refused";
        /// The app has to be updated; `Upgrade` names the oldest build that is let in.
        CLIENT_OUTDATED = "client.outdated";
        /// The request did not arrive in time.
        TIMEOUT = "request.timeout";
        /// The one refusal of all token layers.
        UNAUTHORIZED = "auth.unauthorized";
        /// The caller is known and may not do this.
        FORBIDDEN = "auth.forbidden";
        /// Too many have failed here: the page has a challenge that is to be solved first.
        CAPTCHA_REQUIRED = "auth.captcha_required";
        /// Come back later (`Retry-After`).
        BUSY = "server.busy";
        /// A fault of ours; the log has the cause under the request's id.
        INTERNAL = "server.internal";
        /// What happened is not known yet: send the same request with the same key again.
        OUTCOME_UNKNOWN = "server.outcome_unknown";

        /// The request needs an `Idempotency-Key`.
        KEY_MISSING = "idempotency.key_missing";
        /// The `Idempotency-Key` is too long or not printable.
        KEY_INVALID = "idempotency.key_invalid";
        /// The key was used for another request.
        KEY_REUSED = "idempotency.key_reused";

        /// The amount is not a positive amount of its currency.
        AMOUNT_INVALID = "ledger.amount_invalid";
        /// No such account for this caller.
        ACCOUNT_NOT_FOUND = "ledger.account_not_found";
        /// The account's currency is not the amount's.
        CURRENCY_MISMATCH = "ledger.currency_mismatch";
        /// The posting would take the account below its floor.
        INSUFFICIENT_FUNDS = "ledger.insufficient_funds";
        /// From and to are the same account.
        SAME_ACCOUNT = "ledger.same_account";
        /// The account takes no postings.
        ACCOUNT_CLOSED = "ledger.account_closed";
        /// The posting would take the account above what it can hold.
        LIMIT_EXCEEDED = "ledger.limit_exceeded";
        /// The owner has as many open accounts as one may have. Nothing is decided: after one is closed the same key may come back.
        ACCOUNT_LIMIT_REACHED = "ledger.account_limit_reached";
        /// No rate for this pair of currencies.
        RATE_UNAVAILABLE = "ledger.rate_unavailable";
        /// No such transfer for this caller.
        TRANSFER_NOT_FOUND = "ledger.transfer_not_found";
        /// The owner has as many payouts on their way as one may have; one that ends makes room.
        PAYOUT_LIMIT_REACHED = "ledger.payout_limit_reached";
        /// The partner says of a payout what contradicts its earlier word.
        PAYOUT_CONTRADICTED = "ledger.payout_contradicted";
        /// No such payout for this caller.
        PAYOUT_NOT_FOUND = "ledger.payout_not_found";

        /// No such item in suspense.
        SUSPENSE_ITEM_NOT_FOUND = "ledger.suspense_item_not_found";
        /// The item in suspense went to another account.
        ALREADY_ALLOCATED = "ledger.already_allocated";

        /// The challenge is unknown, used, expired or made for something else.
        CHALLENGE_INVALID = "attestation.challenge_invalid";
        /// The evidence is not of a known format or too large to be looked at.
        EVIDENCE_MALFORMED = "attestation.evidence_malformed";
        /// Renewal by an instance that is not known: it must attest first.
        INSTANCE_UNKNOWN = "attestation.instance_unknown";

        /// What is told or asked of lies further ahead than any honest clock.
        FROM_FUTURE = "behavior.from_future";
        /// The event's id was another event's.
        EVENT_ID_REUSED = "behavior.event_id_reused";
        /// No such event.
        EVENT_NOT_FOUND = "behavior.event_not_found";
        /// No such decision.
        DECISION_NOT_FOUND = "behavior.decision_not_found";

        /// No such operation, or not for this caller.
        OPERATION_UNKNOWN = "broker.operation_unknown";
        /// The parameters do not fit the operation.
        PARAMETERS_INVALID = "broker.parameters_invalid";
        /// The third party did not answer as it should.
        UPSTREAM_FAILED = "broker.upstream_failed";
        /// The third party refused the request.
        UPSTREAM_REFUSED = "broker.upstream_refused";
        /// The third party is not asked just now (breaker or quota).
        UPSTREAM_UNAVAILABLE = "broker.upstream_unavailable";
        /// The webhook's signature, time or id is wrong.
        WEBHOOK_REFUSED = "broker.webhook_refused";
    }
}

pub use code::MEANINGS;

impl Problem {
    /// A problem with its code, status and title.
    pub fn new(status: u16, code: &str, title: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_BASE}{code}"),
            code: code.to_owned(),
            title: title.into(),
            status,
            detail: None,
            field: None,
            request_id: None,
        }
    }
}

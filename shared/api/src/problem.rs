//! Refusals: RFC 9457 `application/problem+json` and the stable codes in it.
//!
//! A code is part of the API: it is never renamed, and it says no more than the client may know.

use serde::{Deserialize, Serialize};

/// Media type of a refusal (RFC 9457 §6.1).
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Prefix of the `type` member; the code follows it.
pub const TYPE_BASE: &str = "https://redoubt.dev/problems/";

/// A refusal as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// URI that identifies the kind of problem: [`TYPE_BASE`] and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stable code, e.g. `ledger.insufficient_funds`.
    pub code: String,
    /// A short summary, the same for every occurrence.
    pub title: String,
    /// The HTTP status of the answer, again.
    pub status: u16,
    /// What is wrong with this request, when it helps and leaks nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The offending field as a path, e.g. `amount.currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The request's id, to quote to support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Codes that any service may answer.
pub mod code {
    /// The body, a path segment or a query parameter is not what it should be.
    pub const REQUEST_INVALID: &str = "request.invalid";
    /// The field is one that travels sealed, and came in the clear.
    pub const FIELD_SEALED_REQUIRED: &str = "request.field_sealed_required";
    /// The field is sealed, and not so that the service opens it here.
    pub const FIELD_SEALED_INVALID: &str = "request.field_sealed_invalid";
    /// The body is not of the media type that this route takes.
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "request.unsupported_media_type";
    /// The body is larger than this route takes.
    pub const TOO_LARGE: &str = "request.too_large";
    /// No such route or resource.
    pub const NOT_FOUND: &str = "request.not_found";
    /// The route exists, but not with this method.
    pub const METHOD_NOT_ALLOWED: &str = "request.method_not_allowed";
    /// The request is for another host.
    pub const MISDIRECTED: &str = "request.misdirected";
    /// Too many requests (`Retry-After`).
    pub const RATE_LIMITED: &str = "request.rate_limited";
    /// No app of ours, or none that is let in.
    pub const CLIENT_UNKNOWN: &str = "client.unknown";
    /// The edge before the services takes the request for an attack; none of them has seen it.
    pub const EDGE_REFUSED: &str = "edge.refused";
    /// The app has to be updated; `Upgrade` names the oldest build that is let in.
    pub const CLIENT_OUTDATED: &str = "client.outdated";
    /// The request did not arrive in time.
    pub const TIMEOUT: &str = "request.timeout";
    /// The one refusal of all token layers.
    pub const UNAUTHORIZED: &str = "auth.unauthorized";
    /// The caller is known and may not do this.
    pub const FORBIDDEN: &str = "auth.forbidden";
    /// Too many have failed here: the page has a challenge that is to be solved first.
    pub const CAPTCHA_REQUIRED: &str = "auth.captcha_required";
    /// Come back later (`Retry-After`).
    pub const BUSY: &str = "server.busy";
    /// A fault of ours; the log has the cause under the request's id.
    pub const INTERNAL: &str = "server.internal";
    /// What happened is not known yet: send the same request with the same key again.
    pub const OUTCOME_UNKNOWN: &str = "server.outcome_unknown";

    /// The request needs an `Idempotency-Key`.
    pub const KEY_MISSING: &str = "idempotency.key_missing";
    /// The `Idempotency-Key` is too long or not printable.
    pub const KEY_INVALID: &str = "idempotency.key_invalid";
    /// The key was used for another request.
    pub const KEY_REUSED: &str = "idempotency.key_reused";

    /// The amount is not a positive amount of its currency.
    pub const AMOUNT_INVALID: &str = "ledger.amount_invalid";
    /// No such account for this caller.
    pub const ACCOUNT_NOT_FOUND: &str = "ledger.account_not_found";
    /// The account's currency is not the amount's.
    pub const CURRENCY_MISMATCH: &str = "ledger.currency_mismatch";
    /// The posting would take the account below its floor.
    pub const INSUFFICIENT_FUNDS: &str = "ledger.insufficient_funds";
    /// From and to are the same account.
    pub const SAME_ACCOUNT: &str = "ledger.same_account";
    /// The account takes no postings.
    pub const ACCOUNT_CLOSED: &str = "ledger.account_closed";
    /// The posting would take the account above what it can hold.
    pub const LIMIT_EXCEEDED: &str = "ledger.limit_exceeded";
    /// The owner has as many open accounts as one may have. Nothing is decided: after one is closed the same key may come back.
    pub const ACCOUNT_LIMIT_REACHED: &str = "ledger.account_limit_reached";
    /// No rate for this pair of currencies.
    pub const RATE_UNAVAILABLE: &str = "ledger.rate_unavailable";
    /// No such transfer for this caller.
    pub const TRANSFER_NOT_FOUND: &str = "ledger.transfer_not_found";
    /// The owner has as many payouts on their way as one may have; one that ends makes room.
    pub const PAYOUT_LIMIT_REACHED: &str = "ledger.payout_limit_reached";
    /// The partner says of a payout what contradicts its earlier word.
    pub const PAYOUT_CONTRADICTED: &str = "ledger.payout_contradicted";
    /// No such payout for this caller.
    pub const PAYOUT_NOT_FOUND: &str = "ledger.payout_not_found";

    /// No such item in suspense.
    pub const SUSPENSE_ITEM_NOT_FOUND: &str = "ledger.suspense_item_not_found";
    /// The item in suspense went to another account.
    pub const ALREADY_ALLOCATED: &str = "ledger.already_allocated";

    /// The challenge is unknown, used, expired or made for something else.
    pub const CHALLENGE_INVALID: &str = "attestation.challenge_invalid";
    /// The evidence is not of a known format or too large to be looked at.
    pub const EVIDENCE_MALFORMED: &str = "attestation.evidence_malformed";
    /// Renewal by an instance that is not known: it must attest first.
    pub const INSTANCE_UNKNOWN: &str = "attestation.instance_unknown";

    /// No such operation, or not for this caller.
    pub const OPERATION_UNKNOWN: &str = "broker.operation_unknown";
    /// The parameters do not fit the operation.
    pub const PARAMETERS_INVALID: &str = "broker.parameters_invalid";
    /// The third party did not answer as it should.
    pub const UPSTREAM_FAILED: &str = "broker.upstream_failed";
    /// The third party refused the request.
    pub const UPSTREAM_REFUSED: &str = "broker.upstream_refused";
    /// The third party is not asked just now (breaker or quota).
    pub const UPSTREAM_UNAVAILABLE: &str = "broker.upstream_unavailable";
    /// The webhook's signature, time or id is wrong.
    pub const WEBHOOK_REFUSED: &str = "broker.webhook_refused";
}

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

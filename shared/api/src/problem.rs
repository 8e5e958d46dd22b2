//! Refusals: RFC 9457 `application/problem+json` and the stable codes in it.
//!
//! A code is part of the API: it is never renamed, and it says no more than the client may know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Id;

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
    /// A short summary, the same for every occurrence of the code.
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
    #[schemars(extend("format" = "uuid", "examples" = [Id::EXAMPLE]))]
    pub request_id: Option<String>,
    /// With `auth.approval_required`: the payment's name, for the payer to approve it under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Id>,
    /// With `ledger.instance_cooling_off`, and with `auth.approval_required` where only a second factor that the user has had for long is worth something: until
    /// when this phone is new to its user. Then it takes no more than any other does. Absent where nobody says since when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub new_until: Option<String>,
}

/// What is said of a code, in answers and in documents.
#[derive(Debug)]
pub struct Kind {
    /// The code.
    pub code: &'static str,
    /// The title of every answer with it.
    pub title: &'static str,
    /// What it means, for whoever reads the API.
    pub meaning: &'static str,
}

impl Kind {
    /// None, if no service answers this code.
    pub fn of(code: &str) -> Option<&'static Self> {
        code::KINDS.iter().find(|kind| kind.code == code)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $title:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $text;)+

        pub(super) const KINDS: &[super::Kind] =
            &[$(super::Kind { code: $text, title: $title, meaning: concat!($($doc),+).trim_ascii() }),+];
    };
}

/// Codes that any service may answer: what one means, the code, and the title of its answers.
pub mod code {
    codes! {
        /// The body, a path segment or a query parameter is not what it should be.
        REQUEST_INVALID = "request.invalid", "The request is not valid";
        /// The field is one that travels sealed, and came in the clear.
        FIELD_SEALED_REQUIRED = "request.field_sealed_required", "The field has to be sealed";
        /// The field is sealed, and not so that the service opens it here.
        FIELD_SEALED_INVALID = "request.field_sealed_invalid", "The sealed field does not open";
        /// The body is not of the media type that this route takes.
        UNSUPPORTED_MEDIA_TYPE = "request.unsupported_media_type", "The body is not of the media type that this route takes";
        /// The body is larger than this route takes, or the target or the head larger than any.
        TOO_LARGE = "request.too_large", "The request is too large";
        /// No such route or resource.
        NOT_FOUND = "request.not_found", "There is nothing here";
        /// The route exists, but not with this method.
        METHOD_NOT_ALLOWED = "request.method_not_allowed", "This method is not allowed here";
        /// The request is for another host.
        MISDIRECTED = "request.misdirected", "This is another host";
        /// Too many requests (`Retry-After`).
        RATE_LIMITED = "request.rate_limited", "Too many requests";
        /// No app of ours, or none that is let in.
        CLIENT_UNKNOWN = "client.unknown", "This client is not known here";
        /// The edge before the services takes the request for an attack; none of them has seen it.
        EDGE_REFUSED = "edge.refused", "The edge refuses the request";
        /// The app has to be updated; `Upgrade` names the oldest build that is let in.
        CLIENT_OUTDATED = "client.outdated", "This build has to be updated";
        /// The request did not arrive in time.
        TIMEOUT = "request.timeout", "The request did not arrive in time";
        /// The one refusal of all token layers.
        UNAUTHORIZED = "auth.unauthorized", "The request is not authorized";
        /// The caller is known and may not do this.
        FORBIDDEN = "auth.forbidden", "The caller may not do this";
        /// The payer has to approve this payment first: `approval` names it for `authorization_details`, `WWW-Authenticate` says how (RFC 9470).
        APPROVAL_REQUIRED = "auth.approval_required", "The payer has to approve this payment";
        /// Too many have failed here: the page has a challenge that is to be solved first.
        CAPTCHA_REQUIRED = "auth.captcha_required", "A challenge is to be solved first";
        /// Come back later (`Retry-After`).
        BUSY = "server.busy", "The service is busy";
        /// A fault of ours; the log has the cause under the request's id.
        INTERNAL = "server.internal", "Something went wrong on our side";
        /// What happened is not known yet: send the same request with the same key again.
        OUTCOME_UNKNOWN = "server.outcome_unknown", "The outcome is not known yet; repeat the request with the same key";

        /// The request needs an `Idempotency-Key`.
        KEY_MISSING = "idempotency.key_missing", "The request needs an idempotency key";
        /// The `Idempotency-Key` is too long or not printable.
        KEY_INVALID = "idempotency.key_invalid", "The idempotency key is not valid";
        /// The key was used for another request.
        KEY_REUSED = "idempotency.key_reused", "The idempotency key was used for another request";

        /// The amount is not a positive amount of its currency.
        AMOUNT_INVALID = "ledger.amount_invalid", "The amount is not a positive amount of its currency";
        /// No such account for this caller.
        ACCOUNT_NOT_FOUND = "ledger.account_not_found", "There is no such account";
        /// The account's currency is not the amount's.
        CURRENCY_MISMATCH = "ledger.currency_mismatch", "The account's currency is not the amount's";
        /// The posting would take the account below its floor.
        INSUFFICIENT_FUNDS = "ledger.insufficient_funds", "There is not enough money on the account";
        /// From and to are the same account.
        SAME_ACCOUNT = "ledger.same_account", "From and to are the same account";
        /// The account takes no postings.
        ACCOUNT_CLOSED = "ledger.account_closed", "The account takes no postings";
        /// An operator has stopped the caller's payments. An order that was refused so stays refused under its key.
        CUSTOMER_STOPPED = "ledger.customer_stopped", "The bank has stopped payments from these accounts";
        /// The posting would take the account above what it can hold.
        LIMIT_EXCEEDED = "ledger.limit_exceeded", "The account cannot hold that much";
        /// The owner has as many open accounts as one may have. Nothing is decided: after one is closed the same key may come back.
        ACCOUNT_LIMIT_REACHED = "ledger.account_limit_reached", "There are as many open accounts as one owner may have";
        /// No rate for this pair of currencies.
        RATE_UNAVAILABLE = "ledger.rate_unavailable", "There is no rate for these currencies";
        /// No such transfer for this caller.
        TRANSFER_NOT_FOUND = "ledger.transfer_not_found", "There is no such transfer";
        /// The owner has as many payouts on their way as one may have; one that ends makes room.
        PAYOUT_LIMIT_REACHED = "ledger.payout_limit_reached", "There are as many open payouts as one owner may have";
        /// The partner says of a payout what contradicts its earlier word.
        PAYOUT_CONTRADICTED = "ledger.payout_contradicted", "The payout has ended otherwise, on the partner's own word";
        /// It goes its way, or has ended.
        PAYOUT_NOT_HELD = "ledger.payout_not_held", "The payout is not held, so that it cannot be taken back";
        /// No such payout for this caller.
        PAYOUT_NOT_FOUND = "ledger.payout_not_found", "There is no such payout";
        /// No such customer, for the operator.
        CUSTOMER_NOT_FOUND = "ledger.customer_not_found", "There is no such customer";
        /// No such stop, for the operator.
        STOP_NOT_FOUND = "ledger.stop_not_found", "There is no such stop";
        /// No such payee for this caller, or not any more.
        PAYEE_NOT_FOUND = "ledger.payee_not_found", "There is no such payee";
        /// The caller has a payee with this IBAN. Nothing is decided: after that one is removed the same key may come back.
        PAYEE_EXISTS = "ledger.payee_exists", "There is a payee with this IBAN";
        /// So much is not paid to a payee who is new; `detail` says until when and how much is. Nothing is decided: then the same key may come back.
        PAYEE_COOLING_OFF = "ledger.payee_cooling_off", "So much is not paid to a payee who is new";
        /// The owner has as many payees as one may have; one that is removed makes room.
        PAYEE_LIMIT_REACHED = "ledger.payee_limit_reached", "There are as many payees as one owner may have";
        /// As many payees as may have turned out within a day to have another name, or have been asked about. Nothing is decided: a day later the same key may come back.
        PAYEE_CHECK_LIMIT_REACHED = "ledger.payee_check_limit_reached", "Too many payees' names were checked, or did not match";

        /// So much is not moved to others by phones that are new to their user: `new_until` says until when this one is, `detail` how much is. It was approved without a second factor, or with one as new: with one that the user has had for as long it would go. Nothing is decided: then the same key may come back.
        INSTANCE_COOLING_OFF = "ledger.instance_cooling_off", "So much is not paid from a phone that is new to its user";
        /// The owner has as many payments that wait for approval as one may have; one that is paid or expires makes room.
        APPROVAL_LIMIT_REACHED = "ledger.approval_limit_reached", "There are as many payments to approve as one owner may have";
        /// No such payment waits for this user's approval, or not any more.
        APPROVAL_NOT_FOUND = "ledger.approval_not_found", "There is nothing to approve under this name";
        /// No such item in suspense.
        SUSPENSE_ITEM_NOT_FOUND = "ledger.suspense_item_not_found", "There is no such item in suspense";
        /// The item in suspense went to another account.
        ALREADY_ALLOCATED = "ledger.already_allocated", "The item is allocated to another account";

        /// The challenge is unknown, used, expired or made for something else.
        CHALLENGE_INVALID = "attestation.challenge_invalid", "The challenge is unknown, used, expired or made for something else";
        /// The evidence is not of a known format or too large to be looked at.
        EVIDENCE_MALFORMED = "attestation.evidence_malformed", "The evidence is malformed";
        /// Renewal by an instance that is not known: it must attest first.
        INSTANCE_UNKNOWN = "attestation.instance_unknown", "The instance has not attested";

        /// What is told or asked of lies further ahead than any honest clock.
        FROM_FUTURE = "behavior.from_future", "What is asked about lies in the future";
        /// What is told of lies further back than anything is kept.
        TOO_OLD = "behavior.too_old", "What is told lies more than 13 months back";
        /// The event's id was another event's.
        EVENT_ID_REUSED = "behavior.event_id_reused", "The event's id was another event's";
        /// Nobody logs in with that address.
        PERSON_NOT_FOUND = "auth.person_not_found", "There is no such person";
        /// No such event.
        EVENT_NOT_FOUND = "behavior.event_not_found", "There is no such event";
        /// No such decision.
        DECISION_NOT_FOUND = "behavior.decision_not_found", "There is no such decision";

        /// No such operation, or not for this caller.
        OPERATION_UNKNOWN = "broker.operation_unknown", "There is no such operation";
        /// The parameters do not fit the operation.
        PARAMETERS_INVALID = "broker.parameters_invalid", "The parameters do not fit the operation";
        /// The third party did not answer as it should.
        UPSTREAM_FAILED = "broker.upstream_failed", "The third party did not answer as it should";
        /// The third party refused the request.
        UPSTREAM_REFUSED = "broker.upstream_refused", "The third party refused the request";
        /// The third party is not asked just now (breaker or quota).
        UPSTREAM_UNAVAILABLE = "broker.upstream_unavailable", "The third party cannot be asked just now";
        /// The webhook's signature, time or id is wrong.
        WEBHOOK_REFUSED = "broker.webhook_refused", "The webhook is refused";
    }
}

impl Problem {
    /// A problem with a status and a code, under the code's title.
    pub fn new(status: u16, code: &str) -> Self {
        Self {
            kind: format!("{TYPE_BASE}{code}"),
            code: code.to_owned(),
            // Default: a code that no service answers says all that is known of it.
            title: Kind::of(code).map_or(code, |kind| kind.title).to_owned(),
            status,
            detail: None,
            field: None,
            request_id: None,
            approval: None,
            new_until: None,
        }
    }

    /// How a service answers it, for documents.
    pub fn example(status: u16, code: &str) -> Self {
        Self { request_id: Some(Id::EXAMPLE.to_owned()), ..Self::new(status, code) }
    }
}

//! What services say to each other on the internal plane (mTLS, SPIFFE ids).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::page::MAX_LIMIT;
use crate::text::REFERENCE;
use crate::{Amount, Id, amount, schema};

/// `GET /internal/v1/audience-keys` at `attestation`: the calling service's own keys.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct AudienceKeys {
    /// The audience; always the caller's own.
    pub audience: String,
    /// Previous, current and next epoch; while the master is being replaced, of both masters.
    pub keys: Vec<AudienceKey>,
    /// The same of decoys: nothing under them is accepted, and whoever uses one is reported.
    #[serde(default)]
    pub decoys: Vec<AudienceKey>,
}

/// One epoch's key. No `Debug`: the secret must not be printed.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct AudienceKey {
    /// The master's generation: what stands before the period of a token's `kid`.
    pub generation: u32,
    /// The epoch: what stands behind it.
    pub epoch: u32,
    /// The key, base64url.
    #[schemars(schema_with = "schema::base64url_text")]
    pub secret: String,
    /// Unix seconds after which no token under it is accepted.
    pub not_after: i64,
}

/// `POST /internal/v1/deposits` at `ledger`, by `broker`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// Whose event it is: event ids belong to their provider.
    pub provider: String,
    /// The partner's event id: with the provider the idempotency key.
    pub event_id: String,
    /// The credited account.
    pub account_id: Id,
    /// Decimal text.
    #[schemars(schema_with = "amount::of_any_currency")]
    pub amount: String,
    /// ISO 4217.
    #[schemars(schema_with = "amount::currency")]
    pub currency: String,
    /// Name of the payer, as the provider gives it.
    pub debtor_name: String,
    /// As given by the sender.
    pub reference: String,
}

/// `POST /internal/v1/payout-events` at `ledger`, by `broker`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PayoutEvent {
    /// Whose event it is: only the provider that carries the payout out has a word on it.
    pub provider: String,
    /// The partner's event id.
    pub event_id: String,
    /// Id of the payout at the ledger.
    pub payout_id: Id,
    /// What became of it.
    pub status: PayoutOutcome,
}

/// The end of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutOutcome {
    /// It has been paid.
    Paid,
    /// It has not and will not be paid.
    Failed,
    /// It had been paid, and the creditor's bank has sent the money back.
    Returned,
}

/// Query of `GET /internal/v1/suspense` at `ledger`, by the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspenseQuery {
    /// Which items; open ones when absent.
    #[serde(default)]
    pub state: SuspenseState,
    /// As in every list ([`crate::page::PageQuery`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_LIMIT))]
    pub limit: Option<u32>,
    /// As in every list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub after: Option<String>,
}

/// Whether an item in suspense has found its owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuspenseState {
    /// It waits for an operator.
    #[default]
    Open,
    /// It is on an account.
    Allocated,
}

/// Money that arrived and could not be credited where it was meant to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuspenseItem {
    /// The transfer that took it to suspense.
    pub id: Id,
    /// Whose event told of it.
    pub provider: String,
    /// The provider's id of that event.
    pub event_id: String,
    /// Where it was meant to go.
    pub wanted_account: Id,
    /// Why it did not: `not_found`, `same_account`, `closed`, `currency_mismatch`, `limit_exceeded`.
    pub reason: String,
    /// What arrived.
    pub amount: Amount,
    /// Name of the payer, as the provider gives it.
    pub debtor_name: String,
    /// As given by the sender.
    pub reference: String,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub received_at: String,
    /// The transfer that took it to its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_by: Option<Id>,
}

/// `GET /internal/v1/suspense`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuspensePage {
    /// At most as many as were asked for.
    pub items: Vec<SuspenseItem>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub next: Option<String>,
}

/// `POST /internal/v1/suspense/{id}/allocate` at `ledger`, by the operator: the item's whole amount goes to this account. Once; the same again is
/// answered with the same transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allocate {
    /// A customer's account of the item's currency.
    pub account_id: Id,
}

/// `POST /internal/v1/stops/{id}/end` at `ledger`, by the operator. Once; the same again is answered with the same stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndStop {
    /// 1 to 140 characters, for those who look at it later. The customer does not see it.
    #[schemars(length(min = 1, max = REFERENCE))]
    pub reason: String,
}

/// `POST /internal/v1/stops` at `ledger`, by the operator. Who is stopped already is answered with the stop that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStop {
    /// Whom: the subject of their access tokens.
    #[schemars(length(min = 1, max = 255))]
    pub customer: String,
    /// As of [`EndStop`].
    #[schemars(length(min = 1, max = REFERENCE))]
    pub reason: String,
}

/// A customer whose orders are not posted, and whose payouts are not sent that nobody has begun to send; or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Of the stop.
    pub id: Id,
    /// Whose.
    pub customer: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub begun_at: String,
    /// RFC 3339; absent as long as it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub ended_at: Option<String>,
    /// Why it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
}

/// Whether a stop holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopState {
    /// It does.
    #[default]
    Open,
    /// Not any more.
    Ended,
}

/// Query of `GET /internal/v1/stops` at `ledger`, by the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopsQuery {
    /// Which; those that hold when absent.
    #[serde(default)]
    pub state: StopState,
    /// As in every list ([`crate::page::PageQuery`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_LIMIT))]
    pub limit: Option<u32>,
    /// As in every list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub after: Option<String>,
}

/// `GET /internal/v1/stops`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopPage {
    /// At most as many as were asked for.
    pub stops: Vec<Stop>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub next: Option<String>,
}

/// `GET /internal/v1/invariants` at `ledger`: what must always hold. Balances are those of now; entries are read from where the check before
/// this one ended, as far as a few seconds reach. `ledger verify` reads all of them from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invariants {
    /// All of them hold, as far as it was looked.
    pub hold: bool,
    /// Currencies whose balances do not sum to zero. Must be 0.
    pub unbalanced_currencies: i64,
    /// Accounts whose balance is not that of their last entry, or with an entry whose balance is not the one before plus its amount. Must be 0.
    pub unequal_accounts: i64,
    /// Accounts whose versions have a gap. Must be 0.
    pub gapped_accounts: i64,
    /// Currencies whose payouts that have not ended are not what is in clearing. Must be 0.
    pub unequal_clearings: i64,
    /// Transfers without entries, or numbers without a transfer. Must be 0.
    pub transfers_without_entries: i64,
    /// Transfers that say something else than their entries do. Must be 0.
    pub transfers_unlike_entries: i64,
    /// The transfers up to this number have been looked at with their entries. Less than `transfers`: ask again. It stops before a fault.
    pub checked_transfers: i64,
    /// How many accounts customers have.
    pub accounts: i64,
    /// Transfers when the check began.
    pub transfers: i64,
    /// Entries of all accounts.
    pub entries: i64,
}

/// `POST /internal/v1/second-factor-removals` at `auth`, by the operator: support has made sure, by other means, who it is that has lost theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveSecondFactor {
    /// The address that the person logs in with.
    #[schemars(extend("format" = "email"), length(max = 254))]
    pub email: String,
}

/// What was removed. Asked again, it is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecondFactorRemoved {
    /// Whose.
    pub subject: Id,
    /// Whether there was an authenticator app.
    pub app: bool,
    /// How many passkeys there were.
    pub passkeys: usize,
}

//! What services say to each other on the internal plane (mTLS, SPIFFE ids).

use serde::{Deserialize, Serialize};

use crate::Id;

/// `GET /internal/v1/audience-keys` at `attestation`: the calling service's own keys.
#[derive(Clone, Serialize, Deserialize)]
pub struct AudienceKeys {
    /// The audience; always the caller's own.
    pub audience: String,
    /// Previous, current and next epoch.
    pub keys: Vec<AudienceKey>,
}

/// One epoch's key. No `Debug`: the secret must not be printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct AudienceKey {
    /// The epoch; `kid` of tokens.
    pub epoch: u32,
    /// base64url.
    pub secret: String,
    /// Unix seconds after which no token under it is accepted.
    pub not_after: i64,
}

/// `POST /internal/v1/deposits` at `ledger`, by `broker`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// Whose event it is: event ids belong to their provider.
    pub provider: String,
    /// The partner's event id: with the provider the idempotency key.
    pub event_id: String,
    /// The credited account.
    pub account_id: Id,
    /// Decimal text.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Who sent it.
    pub debtor_name: String,
    /// As given by the sender.
    pub reference: String,
}

/// `POST /internal/v1/payout-events` at `ledger`, by `broker`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayoutEvent {
    /// Whose event it is: only the provider that carries the payout out has a word on it.
    pub provider: String,
    /// The partner's event id.
    pub event_id: String,
    /// Our payout.
    pub payout_id: Id,
    /// What became of it.
    pub status: PayoutOutcome,
}

/// The end of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutOutcome {
    /// It has been paid.
    Paid,
    /// It has not and will not be paid.
    Failed,
    /// It had been paid, and the creditor's bank has sent the money back.
    Returned,
}

/// `GET /internal/v1/invariants` at `ledger`: what must always hold, counted now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariants {
    /// All of them hold.
    pub hold: bool,
    /// Currencies whose balances do not sum to zero. Must be 0.
    pub unbalanced_currencies: i64,
    /// Accounts whose balance is not the sum of their entries. Must be 0.
    pub unequal_accounts: i64,
    /// Accounts whose versions have a gap. Must be 0.
    pub gapped_accounts: i64,
    /// Accounts.
    pub accounts: i64,
    /// Transfers.
    pub transfers: i64,
    /// Entries.
    pub entries: i64,
}

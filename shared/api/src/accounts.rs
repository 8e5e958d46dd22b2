//! Accounts and their entries (`ledger`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Id, schema};

/// `POST /v1/accounts`: opens an account for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAccount {
    /// ISO 4217 code of the account's only currency.
    #[schemars(schema_with = "crate::amount::currency")]
    pub currency: String,
    /// A name that the owner gives it, at most 60 characters.
    #[schemars(schema_with = "schema::account_name")]
    pub name: String,
}

/// An account as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Names the account, in its URL and in transfers.
    pub id: Id,
    /// The owner's name for it.
    pub name: String,
    /// What is on it now.
    pub balance: Amount,
    /// Number of entries so far; it grows by one with each.
    pub version: i64,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub opened_at: String,
}

/// A page of `GET /v1/accounts`, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountPage {
    /// The accounts of one page, oldest first.
    pub accounts: Vec<Account>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub next: Option<String>,
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Position in the account, from 1 without a gap.
    pub version: i64,
    /// The transfer that made it.
    pub transfer_id: Id,
    /// What kind of transfer: `deposit`, `allocation` (of money that had waited in suspense), `transfer`, `exchange`, `payout`, `payout_reversal`,
    /// `payout_return`, `payout_found` (a payout that a restored ledger had forgotten, and its partner had not).
    pub kind: String,
    /// Signed: positive is money in.
    pub amount: Amount,
    /// The balance after this entry.
    pub balance: Amount,
    /// Text given by whoever made the transfer.
    pub reference: String,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub posted_at: String,
}

/// A page of `GET /v1/accounts/{id}/entries`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryPage {
    /// The entries of one page, newest first.
    pub entries: Vec<Entry>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cursor")]
    pub next: Option<String>,
}

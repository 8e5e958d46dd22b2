//! Transfers between two accounts in the house (`ledger`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Id, schema};

/// `POST /v1/transfers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostTransfer {
    /// The account to debit; it must be the caller's.
    pub from_account: Id,
    /// Any customer's account of the same currency.
    pub to_account: Id,
    /// What to move; positive, in the currency of both accounts.
    pub amount: Amount,
    /// Shown on both statements, at most 140 characters.
    #[serde(default)]
    #[schemars(schema_with = "schema::reference")]
    pub reference: String,
}

/// A transfer that has been posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// Names the transfer, in its URL and in both statements.
    pub id: Id,
    /// Position in the ledger, from 1 without a gap.
    pub sequence: i64,
    /// The debited account.
    pub from_account: Id,
    /// The credited account.
    pub to_account: Id,
    /// What was moved.
    pub amount: Amount,
    /// As the sender wrote it.
    pub reference: String,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub posted_at: String,
}

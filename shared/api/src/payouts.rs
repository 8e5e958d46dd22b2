//! Payments out of the house through a partner bank (`ledger`, carried out by `broker`).

use serde::{Deserialize, Serialize};

use crate::{Amount, Id};

/// `POST /v1/payouts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostPayout {
    /// The account to debit; it must be the caller's.
    pub from_account: Id,
    /// What to pay out; positive, in the currency of the account.
    pub amount: Amount,
    /// The payee, at another bank.
    pub creditor: Creditor,
    /// Shown to the creditor, at most 140 characters.
    #[serde(default)]
    pub reference: String,
}

/// A payee outside the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creditor {
    /// 1 to 70 characters.
    pub name: String,
    /// ISO 13616, without spaces, check digits verified.
    pub iban: String,
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutStatus {
    /// The money has left the account; the partner has not confirmed that it has the order.
    Pending,
    /// The partner may have the order or not, and is being asked. The money stays off the account until it has said which.
    Unknown,
    /// The partner has the order.
    Submitted,
    /// The partner says that it has been paid.
    Paid,
    /// The partner says that it failed; the money is back on the account.
    Failed,
    /// It was paid and the creditor's bank sent it back; the money is back on the account.
    Returned,
}

/// A payment to an account at another bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// Names the payout, in its URL and at the partner.
    pub id: Id,
    /// The debited account.
    pub from_account: Id,
    /// What is paid out.
    pub amount: Amount,
    /// The payee, at another bank.
    pub creditor: Creditor,
    /// As the sender wrote it.
    pub reference: String,
    /// What has become of it so far.
    pub status: PayoutStatus,
    /// RFC 3339.
    pub created_at: String,
}

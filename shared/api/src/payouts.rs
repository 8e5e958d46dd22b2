//! Payments out of the house through a partner bank (`ledger`, carried out by `broker`).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Amount, Id, schema};

/// `POST /v1/payouts`: an order of a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostPayout {
    /// The account to debit; it must be the caller's.
    pub from_account: Id,
    /// What to pay out; positive, in the currency of the account.
    pub amount: Amount,
    /// Whom to pay, at another bank: a payee of the caller's.
    pub payee_id: Id,
    /// Shown to the payee, at most 140 characters.
    #[serde(default)]
    #[schemars(schema_with = "schema::reference")]
    pub reference: String,
}

/// A payee outside the house, as a payout says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Creditor {
    /// 1 to 70 characters.
    #[schemars(schema_with = "schema::creditor_name")]
    pub name: String,
    /// Country and last four characters.
    pub iban: MaskedIban,
}

/// What answers say of an IBAN: its country and its last four characters, for people to recognize it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskedIban(String);

impl JsonSchema for MaskedIban {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MaskedIban".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([A-Z]{2})?\*{4}[A-Z0-9]{0,4}$", "examples": ["DE****3000"] })
    }
}

impl MaskedIban {
    /// Of an IBAN in electronic form. The check digits are left out, too: they would tell two of the others. Of what is no IBAN nothing is said.
    pub fn of(iban: &str) -> Self {
        let ends = iban.get(..2).zip(iban.len().checked_sub(4).and_then(|at| iban.get(at..)));
        // Default: the shortest IBAN has 15 characters; of less the ends would be most of it.
        let (country, last) = ends.filter(|_| iban.len() >= 15).unwrap_or_default();
        Self(format!("{country}****{last}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a payout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutStatus {
    /// The money has left the account, and the order has not been sent, because it looks unusual. Until `held_until` the payer can take it back.
    Held,
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
    /// The payer has taken it back while it was held; the money is back on the account.
    Cancelled,
}

/// A payment to an account at another bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// RFC 3339: while it is held, until when its payer can take it back. Then it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub held_until: Option<String>,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub created_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_iban_its_country_and_its_last_four_characters_are_shown() {
        assert_eq!(MaskedIban::of("DE89370400440532013000").as_str(), "DE****3000");
        assert_eq!(MaskedIban::of("NO9386011117947").as_str(), "NO****7947");
        for no_iban in ["", "DE89", "DE893704004405", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{20ac}\u{20ac}"] {
            let shown = MaskedIban::of(no_iban);
            assert!(shown.as_str().len() <= 10 && !no_iban.is_empty() || shown.as_str() == "****", "{shown:?}");
        }
        assert_eq!(MaskedIban::of("DE893704004405").as_str(), "****");
    }
}

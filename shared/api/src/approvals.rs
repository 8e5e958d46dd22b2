//! A payer's approval of one payment, exactly as it is: `ledger` asks for it, `auth` lets the payer give it (dynamic linking: Regulation (EU) 2018/389,
//! Article 5; by RFC 9470 and RFC 9396).
//!
//! 1. `ledger` refuses a payment with [`APPROVAL_REQUIRED`](crate::problem::code::APPROVAL_REQUIRED) and keeps what was ordered under an id.
//! 2. The app pushes that id to `auth` as [`PaymentToApprove`]. It says no amount and no payee: those come from `ledger`, as [`PaymentShown`].
//! 3. `auth` shows them to the payer, who approves. The access token that the app gets says what was approved: [`ApprovedPayment`].
//! 4. The app orders the same payment again, with that token. `ledger` compares, and uses the approval up in the transaction that posts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::payees::NameCheck;
use crate::payouts::MaskedIban;
use crate::{Amount, Id, schema};

/// The authentication that a payment's approval takes (`acr_values` of RFC 9470 §3, `acr` of the token): the payer's own, for this payment.
pub const ACR_PAYMENT: &str = "urn:redoubt:acr:payment";

/// The `type` of authorization details (RFC 9396 §2). There is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetailsType {
    /// To pay once.
    PaymentInitiation,
}

/// What a client asks approval of: the one element of `authorization_details` (RFC 9396 §2) in a pushed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentToApprove {
    /// Always `payment_initiation`.
    #[serde(rename = "type")]
    pub kind: DetailsType,
    /// The `approval` of the ledger's refusal.
    pub identifier: Id,
}

impl PaymentToApprove {
    /// The payment with this id.
    pub fn of(identifier: Id) -> Self {
        Self { kind: DetailsType::PaymentInitiation, identifier }
    }
}

/// What a payer has approved: the one element of `authorization_details` in the access token (RFC 9396 §9.1) and in the token endpoint's answer (§7).
/// All of it is the ledger's own word.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovedPayment {
    /// Always `payment_initiation`.
    #[serde(rename = "type")]
    pub kind: DetailsType,
    /// The `approval` of the ledger's refusal.
    pub identifier: Id,
    /// The account that is debited.
    pub debtor_account: Id,
    /// What is paid.
    pub instructed_amount: Amount,
    /// Who is paid, as the payer ordered it. Empty for an account in the house, whose owner the payer has not named.
    pub creditor_name: String,
    /// Where it goes ([`Payee::masked`]): a token may be read by who needs no IBAN. The payer was shown all of it.
    pub creditor_account: String,
}

impl ApprovedPayment {
    /// What has been shown and approved.
    pub fn of(shown: PaymentShown) -> Self {
        Self {
            kind: DetailsType::PaymentInitiation,
            identifier: shown.id,
            debtor_account: shown.from_account,
            instructed_amount: shown.amount,
            creditor_account: shown.payee.masked(),
            creditor_name: shown.payee.name,
        }
    }
}

/// Query of `GET /internal/v1/approvals/{id}` at `ledger`, by `auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalQuery {
    /// Who has logged in: the payment must be this user's order.
    pub subject: String,
}

/// `GET /internal/v1/approvals/{id}` at `ledger`: a payment that waits for its payer's approval, as it is shown to the payer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentShown {
    /// Names it, in the refusal and in `authorization_details`.
    pub id: Id,
    /// The account that will be debited.
    pub from_account: Id,
    /// What the payer calls it.
    pub from_name: String,
    /// What will be paid.
    pub amount: Amount,
    /// To whom.
    pub payee: Payee,
    /// Whether the account belongs to the payee's name; absent for an account in the house.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_check: Option<NameCheck>,
    /// As the payer wrote it.
    pub reference: String,
    /// RFC 3339. From then on it cannot be approved any more; the payment can be ordered anew.
    #[schemars(schema_with = "schema::time")]
    pub expires_at: String,
}

/// Whom a payment goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Payee {
    /// As the payer wrote it; empty for an account in the house.
    pub name: String,
    /// An IBAN, whole and without spaces, or the id of an account in the house.
    pub account: String,
}

impl Payee {
    /// The account as others than its payer may see it: of an IBAN, country and last four characters.
    pub fn masked(&self) -> String {
        if self.name.is_empty() { self.account.clone() } else { MaskedIban::of(&self.account).as_str().to_owned() }
    }

    /// The account as people read it: an IBAN in groups of four (ISO 13616).
    pub fn grouped(&self) -> String {
        if self.name.is_empty() {
            return self.account.clone();
        }
        let letters: Vec<char> = self.account.chars().collect();
        letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_is_whole_for_its_payer_and_masked_for_others_and_an_account_of_the_house_is_neither() {
        let payee = |name: &str, account: &str| Payee { name: name.to_owned(), account: account.to_owned() };
        let landlord = payee("Landlord Ltd", "NO9386011117947");
        assert_eq!((landlord.masked().as_str(), landlord.grouped().as_str()), ("NO****7947", "NO93 8601 1117 947"));
        let house = payee("", "0198e7c2-7d4b-7c4e-9d6a-5b1f0a3c2e11");
        assert_eq!([house.masked(), house.grouped()], [house.account.clone(), house.account]);
    }
}

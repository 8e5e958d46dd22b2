//! Operations of the broker (`POST /internal/v1/operations/{provider}/{operation}`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A call of an operation. The caller names it; it never gives a URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Typed by the provider's manifest.
    pub params: Map<String, Value>,
    /// Required where the operation has an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// The answer: only the fields that the manifest lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallResult {
    /// The listed fields by name.
    pub result: Map<String, Value>,
}

/// Result of an operation that answers reference rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceRates {
    /// `YYYY-MM-DD`.
    #[schemars(schema_with = "crate::schema::date")]
    pub date: String,
    /// The currency that they are against.
    pub base: String,
    /// Units of each currency for one of it, as published.
    pub rates: BTreeMap<String, String>,
}

/// Result of an operation of the kind `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderStatus {
    /// Names the order at the partner.
    pub id: String,
    /// Where the order stands.
    pub outcome: OrderOutcome,
}

/// Where an order stands, on the partner's positive word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// On its books, not at its end.
    Accepted,
    /// The money has left the house for the creditor.
    Paid,
    /// Not paid, and never will be.
    Failed,
    /// Paid, and the money came back.
    Returned,
}

/// Result of an operation that lists orders.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderList {
    /// Oldest first; none at the end.
    pub payouts: Vec<ListedOrder>,
}

/// An order as the partner has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedOrder {
    /// Our name for it.
    pub payout_id: crate::Id,
    /// Decimal text.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// To whom.
    pub creditor_name: String,
    /// What the creditor is shown.
    #[serde(default)]
    pub reference: String,
}

/// Result of an operation that orders a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PayoutOrder {
    /// Names the order at the partner.
    pub id: String,
}

/// Result of an operation that says whether an account belongs to a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NameChecked {
    /// Whether it does.
    pub word: NameWord,
    /// The name that the account has.
    #[serde(default)]
    pub holder: Option<String>,
}

/// Whether an account belongs to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameWord {
    /// It does.
    Match,
    /// It has another name that is much like it.
    CloseMatch,
    /// It belongs to somebody else.
    NoMatch,
    /// Whoever keeps the account cannot say.
    NotPossible,
}

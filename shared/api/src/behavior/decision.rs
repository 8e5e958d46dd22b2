//! What is kept of a judgement.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Label, Reason};
use crate::{Id, amount, schema};

/// `GET /internal/v1/decisions/{id}`, for the operator: all that a judgement rests on. `behaviorctl explain` makes it anew of this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Its id.
    pub decision_id: Id,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub decided_at: String,
    /// The request that it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Id>,
    /// When the payment was to be made.
    pub at_unix_millis: i64,
    /// Under which the profile of who pays is counted: 64 bits of a digest, in hexadecimal.
    pub user_key: String,
    /// The same of who is paid.
    pub payee_key: String,
    /// Decimal text.
    #[schemars(schema_with = "amount::of_any_currency")]
    pub amount: String,
    /// ISO 4217.
    #[schemars(schema_with = "amount::currency")]
    pub currency: String,
    /// The version of the features.
    pub features_version: u32,
    /// What the payment looked like, by the features' names.
    pub features: BTreeMap<String, f64>,
    /// The number of the last event that was learned before.
    pub learned: i64,
    /// How likely it is fraud, between 0 and 1.
    pub score: f64,
    /// What was to be done.
    pub action: Action,
    /// What spoke against the payment.
    pub reasons: Vec<Reason>,
    /// Which model has judged.
    pub model: String,
    /// Which version of the rules.
    pub rules: String,
    /// What others would have said that were tried beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
    /// The last word on what turned out, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// What a model and rules would have said of a payment that were tried beside those that judged it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// How likely it is fraud, between 0 and 1.
    pub score: f64,
    /// What they would have done.
    pub action: Action,
    /// What speaks against the payment.
    pub reasons: Vec<Reason>,
    /// Which model.
    pub model: String,
    /// Which version of the rules.
    pub rules: String,
}

//! Currency exchange between two accounts of one owner (`ledger`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Id, schema};

/// `POST /v1/exchanges`: sells `amount` of one account's currency for the other's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostExchange {
    /// The caller's account that is debited.
    pub from_account: Id,
    /// The caller's account that is credited.
    pub to_account: Id,
    /// How much is sold, in the currency of `from_account`.
    pub amount: Amount,
}

/// An exchange that has been posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Id of the transfer with its four legs.
    pub id: Id,
    /// Position in the ledger.
    pub sequence: i64,
    /// What was debited, in the currency of `from_account`.
    pub sold: Amount,
    /// What was bought, rounded down to the minor unit.
    pub bought: Amount,
    /// Units of the bought currency for one of the sold.
    #[schemars(schema_with = "schema::decimal")]
    pub rate: String,
    /// The day of the reference rates (`YYYY-MM-DD`).
    #[schemars(schema_with = "schema::date")]
    pub rate_date: String,
    /// Who published them.
    pub rate_source: String,
    /// RFC 3339.
    #[schemars(schema_with = "schema::time")]
    pub posted_at: String,
}

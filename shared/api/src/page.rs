//! Pages: no answer holds a whole list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lines of a page when the query does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// Lines of a page at most.
pub const MAX_LIMIT: u32 = 100;

/// Query of every list. Its answer has `next`: give that as `after` for the next page; on the last page there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// At most this many lines, 1 to 100; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_LIMIT))]
    pub limit: Option<u32>,
    /// Cursor: `next` of the previous page. What is in it is the server's business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::cursor")]
    pub after: Option<String>,
}

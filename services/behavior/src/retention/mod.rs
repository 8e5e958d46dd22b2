//! What is older than 13 months goes, and what comes that is as old is not taken: it would be learned as if it were new.
//!
//! Profiles in memory keep what they have made of it until the process ends; most of what they count fades or ends within weeks.

mod store;

use std::time::Duration;

use chrono::{DateTime, Months, Utc};
use runtime::{Shutdown, sweep};
use storage::Pool;

/// How long what has happened is kept.
const KEPT: Months = Months::new(13);
/// How often what is older is looked for. A call deletes 5,000 rows of each table at most, and is made again at once as long as there was something to delete: up to
/// 500,000 decisions in each round, which keeps up with 3,000 a second.
const EVERY: Duration = Duration::from_mins(1);

/// Deletes what is not kept, until the process ends.
pub(crate) async fn always(pool: Pool, shutdown: Shutdown) -> anyhow::Result<()> {
    sweep(shutdown, EVERY, "what is older than 13 months", || store::forget(&pool)).await
}

/// Whether what happened then is still taken at `now`, in milliseconds since 1970.
pub(crate) fn takes(at: DateTime<Utc>, now: i64) -> bool {
    let oldest = DateTime::from_timestamp_millis(now).and_then(|now| now.checked_sub_months(KEPT));
    oldest.is_some_and(|oldest| at >= oldest)
}

//! Tells people that money waits for them.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use runtime::metrics;

use super::store;
use crate::error::Error;
use crate::posting::Receipt;
use crate::state::State;

/// `ledger.suspense{reason}`: how often money went to suspense. More than zero is somebody's money that nobody has.
static SUSPENDED: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("ledger.suspense").build());

/// Tells whether a posting went to suspense. If so it is in the audit log and counted, at least once: if this process dies before, the partner's event
/// comes again. Not when it has found its owner already.
pub async fn raise(state: &State, receipt: &Receipt) -> Result<bool, Error> {
    let mut db = storage::connection(&state.poster).await?;
    let Some(item) = store::find(&mut db, receipt.posted.id.into()).await? else { return Ok(false) };
    if item.allocated_by.is_some() {
        return Ok(true);
    }
    SUSPENDED.add(1, &[KeyValue::new("reason", item.reason.clone())]);
    runtime::audit!(
        "suspense",
        outcome = "suspended",
        reason = item.reason,
        item = %item.id,
        provider = item.provider,
        event_id = item.event_id.as_str(),
        wanted_account = %item.wanted_account,
        amount = %item.money(),
        currency = item.currency.0.code(),
        replayed = receipt.replayed,
    );
    Ok(true)
}

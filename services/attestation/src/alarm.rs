//! Alarms: what a person has to look at today, because evidence is judged by less than it should be, or by more.
//!
//! Each is a line in the audit log and counts in `attestation.alarms{reason}`, which is what to page on.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use strum::IntoEnumIterator as _;

static ALARMS: LazyLock<Counter<u64>> =
    LazyLock::new(|| runtime::metrics::meter().u64_counter("attestation.alarms").build());

/// Why, as logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Alarm {
    /// The revocation list has entries that are not understood. They refuse as all others do.
    #[strum(serialize = "revocation_list_odd")]
    ListOdd,
    /// An attestation key has reached its daily limit: it leaked, or the app is very popular today.
    EnrolmentLimit,
    /// The revocation list cannot be read; the last good one stays. Raised again with every look at it.
    #[strum(serialize = "revocation_list_unreadable")]
    ListUnreadable,
    /// The revocation list has lost most of its entries; the last good one stays. Raised again with every look at it, and where production
    /// starts with an empty one.
    #[strum(serialize = "revocation_list_shrunk")]
    EntriesLost,
}

/// Shows all of them as zero before one is raised: of a count that begins with one nobody sees that it has grown.
pub(crate) fn may_come() {
    for alarm in Alarm::iter() {
        ALARMS.add(0, &[KeyValue::new("reason", <&str>::from(alarm))]);
    }
}

pub(crate) fn raise(alarm: Alarm, detail: &str) {
    let reason: &'static str = alarm.into();
    ALARMS.add(1, &[KeyValue::new("reason", reason)]);
    runtime::audit!("alarm", layer = "evidence", reason, detail);
    tracing::error!(reason, detail, "an alarm about evidence");
}

//! Alarms about money: what a person has to look at today.
//!
//! Each is a line in the audit log and counts in `ledger.alarms{reason}`, which is what to page on. A condition that stands is raised again with
//! every look at it.

use std::fmt::Display;
use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use runtime::metrics;

static ALARMS: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("ledger.alarms").build());

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// A payout has been unknown, or without an end, for too long.
    PayoutStuck,
    /// The partner has paid what the customer had got back.
    PaidAfterReversal,
    /// Money waits in suspense for a person to allocate it.
    Suspense,
    /// The partner says that a payout failed which it had said is paid.
    Contradiction,
    /// A provider has a word on a payout that another one carries out.
    ForeignProvider,
}

impl Alarm {
    /// As logged and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayoutStuck => "payout_stuck",
            Self::PaidAfterReversal => "payout_paid_after_reversal",
            Self::Suspense => "money_in_suspense",
            Self::Contradiction => "payout_contradicted",
            Self::ForeignProvider => "payout_event_of_another_provider",
        }
    }
}

/// Raises an alarm about a payout, or about an item in suspense.
pub fn raise(alarm: Alarm, id: impl Display, provider: &str) {
    let reason = alarm.as_str();
    ALARMS.add(1, &[KeyValue::new("reason", reason)]);
    runtime::audit!("alarm", reason, %id, provider);
    tracing::error!(reason, %id, provider, "an alarm about money");
}

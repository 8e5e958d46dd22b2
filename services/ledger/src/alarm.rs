//! Alarms about money: what a person has to look at today.
//!
//! Each is a line in the audit log and counts in `ledger.alarms{reason}`, which is what to page on. A condition that stands is raised again with
//! every look at it.

use std::fmt::Display;
use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use runtime::metrics;
use strum::IntoEnumIterator as _;

static ALARMS: LazyLock<Counter<u64>> = LazyLock::new(|| metrics::meter().u64_counter("ledger.alarms").build());

/// Why, as logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Alarm {
    /// A payout has been unknown, or without an end, for too long.
    PayoutStuck,
    /// The partner has paid what the customer had got back.
    #[strum(serialize = "payout_paid_after_reversal")]
    PaidAfterReversal,
    /// Money waits in suspense for a person to allocate it.
    #[strum(serialize = "money_in_suspense")]
    Suspense,
    /// The partner says that a payout failed which it had said is paid.
    #[strum(serialize = "payout_contradicted")]
    Contradiction,
    /// A provider has a word on a payout that another one carries out.
    #[strum(serialize = "payout_event_of_another_provider")]
    ForeignProvider,
    /// A reader of the outbox has not been told of payments for too long.
    OutboxStuck,
    /// The behavior analytics refused to learn of a payment.
    PaymentNotLearned,
}

/// Shows all of them as zero before one is raised: of a count that begins with one nobody sees that it has grown.
pub(crate) fn may_come() {
    for alarm in Alarm::iter() {
        ALARMS.add(0, &[KeyValue::new("reason", <&str>::from(alarm))]);
    }
}

/// Raises an alarm about what is called `id`: a payout, an item in suspense, a payment, or the number of a transfer.
pub fn raise(alarm: Alarm, id: impl Display, provider: &str) {
    let reason: &'static str = alarm.into();
    ALARMS.add(1, &[KeyValue::new("reason", reason)]);
    runtime::audit!("alarm", reason, %id, provider);
    tracing::error!(reason, %id, provider, "an alarm about money");
}

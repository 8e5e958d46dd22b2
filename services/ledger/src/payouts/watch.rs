//! Looks every now and then for money that is stuck: payouts whose outcome has been unknown, or which have had no end, for too long.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use runtime::metrics;

use super::store::{self, Stuck};
use crate::alarm::{self, Alarm};
use crate::config;
use crate::error::Error;
use crate::state::State;

/// How often.
const EVERY: TimeDelta = TimeDelta::minutes(1);
/// That many are named at a time.
const LIMIT: i64 = 100;

/// `ledger.payouts.stuck{currency}`: minor units in payouts that are stuck.
static STUCK: LazyLock<Gauge<i64>> =
    LazyLock::new(|| metrics::meter().i64_gauge("ledger.payouts.stuck").with_unit("{minor_unit}").build());

/// Remembers when it looked, and what it saw.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Option<DateTime<Utc>>,
    seen: BTreeMap<String, i64>,
}

impl Watch {
    /// Looks, if it is time to.
    pub(super) async fn look(&mut self, state: &State, settings: &config::Payouts, now: DateTime<Utc>) {
        let every = EVERY.min(TimeDelta::milliseconds(settings.alarm_after_ms.max(1).into()));
        if self.last.is_some_and(|last| now - last < every) {
            return;
        }
        self.last = Some(now);
        match find(state, settings, now).await {
            Ok(stuck) => self.tell(&stuck),
            Err(error) => tracing::warn!(cause = %error, "stuck payouts cannot be looked for"),
        }
    }

    fn tell(&mut self, stuck: &[Stuck]) {
        // What was seen and is gone is set to nothing, once.
        let mut sums: BTreeMap<String, i64> = self.seen.keys().map(|currency| (currency.clone(), 0)).collect();
        for payout in stuck {
            let sum = sums.entry(payout.currency.clone()).or_default();
            *sum = sum.saturating_add(payout.amount);
            alarm::raise(Alarm::PayoutStuck, payout.id, &payout.provider);
        }
        for (currency, sum) in &sums {
            STUCK.record(*sum, &[KeyValue::new("currency", currency.clone())]);
        }
        sums.retain(|_, sum| *sum > 0);
        self.seen = sums;
    }
}

async fn find(state: &State, settings: &config::Payouts, now: DateTime<Utc>) -> Result<Vec<Stuck>, Error> {
    let ago = |millis: u32| now - TimeDelta::milliseconds(millis.into());
    let mut db = storage::connection(&state.poster).await?;
    Ok(store::stuck(&mut db, ago(settings.alarm_after_ms), ago(settings.overdue_after_ms), LIMIT).await?)
}

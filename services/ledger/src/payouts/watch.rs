//! Looks every now and then for money that is stuck: payouts whose outcome has been unknown, or which have had no end, for too long; what the
//! partner paid although it had been given back; and what waits in suspense. So no alarm is lost with the process that should have raised it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use runtime::metrics;

use super::store::{self, Stuck, Suspended};
use crate::alarm::{self, Alarm};
use crate::config;
use crate::error::Error;
use crate::state::State;

const EVERY: TimeDelta = TimeDelta::minutes(1);
/// That many are named at a time.
const LIMIT: i64 = 100;

/// `ledger.payouts.stuck{currency}`: minor units in payouts that are stuck.
static STUCK: LazyLock<Gauge<i64>> =
    LazyLock::new(|| metrics::meter().i64_gauge("ledger.payouts.stuck").with_unit("{minor_unit}").build());

/// Remembers when it looked, and what it saw.
#[derive(Debug, Default)]
pub struct Watch {
    last: Option<DateTime<Utc>>,
    seen: BTreeMap<String, i64>,
}

impl Watch {
    /// Looks, if it is time to.
    pub(super) async fn check(&mut self, state: &State, settings: &config::Payouts, now: DateTime<Utc>) {
        let every = EVERY.min(TimeDelta::milliseconds(settings.alarm_after_ms.max(1).into()));
        if self.last.is_some_and(|last| now - last < every) {
            return;
        }
        self.last = Some(now);
        match find(state, settings, now).await {
            Ok((stuck, suspended)) => {
                self.report(&stuck);
                for money in suspended {
                    let alarm = if money.lost { Alarm::PaidAfterReversal } else { Alarm::Suspense };
                    alarm::raise(alarm, money.id, &money.provider);
                }
            }
            Err(error) => tracing::warn!(cause = %error, "stuck payouts cannot be looked for"),
        }
    }

    fn report(&mut self, stuck: &[Stuck]) {
        // What was seen and is gone is set to nothing, once.
        let mut sums: BTreeMap<String, i64> = self.seen.keys().map(|currency| (currency.clone(), 0)).collect();
        for payout in stuck {
            sums.insert(payout.currency.clone(), payout.sum);
            alarm::raise(Alarm::PayoutStuck, payout.id, &payout.provider);
        }
        for (currency, sum) in &sums {
            STUCK.record(*sum, &[KeyValue::new("currency", currency.clone())]);
        }
        sums.retain(|_, sum| *sum > 0);
        self.seen = sums;
    }
}

async fn find(
    state: &State,
    settings: &config::Payouts,
    now: DateTime<Utc>,
) -> Result<(Vec<Stuck>, Vec<Suspended>), Error> {
    let ago = |millis: u32| now - TimeDelta::milliseconds(millis.into());
    let mut db = storage::connection(&state.poster).await?;
    let stuck = store::stuck(&mut db, ago(settings.alarm_after_ms), ago(settings.overdue_after_ms), LIMIT).await?;
    Ok((stuck, store::suspended(&mut db, LIMIT).await?))
}

//! What the books say of themselves in the metrics, whether or not anybody asks: how far behind the outbox is, which payouts have no end yet, and whether
//! what must always hold does.
//!
//! Each process looks by itself; of several the worst counts, which whoever reads the metrics decides. A look that fails is told in the log, and the values
//! stay as they were: that they are old is a metric, too ([`AGE`]).

mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use api::internal::Invariants;
use chrono::DateTime;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Gauge, Meter};
use runtime::{Clock, Shutdown, metrics};
use storage::Pool;
use tokio::time::Instant;

use crate::alarm;
use crate::error::Error;
use crate::invariants::store as invariants;

/// How often what waits is counted.
const EVERY: Duration = Duration::from_secs(10);
/// How often the books are checked: that reads each account.
const CHECK_EVERY: Duration = Duration::from_mins(1);
/// How long a check goes on through what is new.
const PATIENCE: Duration = Duration::from_secs(3);

/// `ledger.outbox.waiting{reader}`: transfers that a reader has not been told of.
static WAITING: LazyLock<Gauge<i64>> =
    LazyLock::new(|| metrics::meter().i64_gauge("ledger.outbox.waiting").with_unit("{transfer}").build());
/// `ledger.outbox.lag{reader}`: how long the oldest of them has waited; 0 if there is none.
static LAG: LazyLock<Gauge<f64>> =
    LazyLock::new(|| metrics::meter().f64_gauge("ledger.outbox.lag").with_unit("s").build());
/// `ledger.payouts.open{status}`: payouts that have not come to an end, under the status that their payers see.
static OPEN: LazyLock<Gauge<i64>> =
    LazyLock::new(|| metrics::meter().i64_gauge("ledger.payouts.open").with_unit("{payout}").build());
/// `ledger.books.violations{invariant}`: in how many places one does not hold. Must be 0.
static VIOLATIONS: LazyLock<Gauge<i64>> =
    LazyLock::new(|| metrics::meter().i64_gauge("ledger.books.violations").with_unit("{violation}").build());
/// `ledger.books.unchecked`: transfers whose entries no check has come to yet.
static UNCHECKED: LazyLock<Gauge<i64>> =
    LazyLock::new(|| metrics::meter().i64_gauge("ledger.books.unchecked").with_unit("{transfer}").build());
/// Seconds since the books were last checked by this process, or since it began.
const AGE: &str = "ledger.books.check.age";

/// What has no end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// How many payouts there are of each status that is no end.
    pub payouts: BTreeMap<String, i64>,
    /// Who is told of the outbox, how many transfers they have not been told of, and how long the oldest of these has waited.
    pub readers: Vec<(String, i64, Duration)>,
}

/// Looks again and again.
pub struct Watching {
    pub poster: Pool,
    pub clock: Arc<dyn Clock>,
    /// Whether there is anybody to tell what has been paid: without, nothing waits to be told.
    pub tells: bool,
}

impl Watching {
    /// Until the process ends.
    ///
    /// # Errors
    ///
    /// None: what cannot be looked at is looked at again.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        alarm::may_come();
        let checked = Arc::new(Mutex::new(Instant::now()));
        observe_age(&metrics::meter(), Arc::clone(&checked));
        let mut next_check = Instant::now();
        loop {
            if let Err(error) = self.count().await {
                tracing::warn!(cause = %error, "what waits cannot be counted");
            }
            if Instant::now() >= next_check {
                next_check = Instant::now() + CHECK_EVERY;
                match self.check().await {
                    Ok(()) => *checked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now(),
                    Err(error) => tracing::warn!(cause = %error, "the books cannot be checked"),
                }
            }
            if !shutdown.pause(EVERY).await {
                return Ok(());
            }
        }
    }

    /// What waits now.
    ///
    /// # Errors
    ///
    /// The database does not say so.
    pub async fn waits(&self) -> Result<Waits, Error> {
        let now = DateTime::from_timestamp_millis(self.clock.unix_millis()).ok_or(Error::Invariant("the clock"))?;
        let mut db = storage::connection(&self.poster).await?;
        let payouts =
            store::open_payouts(&mut db, now).await?.into_iter().map(|open| (open.status, open.number)).collect();
        let readers = if self.tells { store::readers(&mut db).await? } else { Vec::new() };
        let readers = readers.into_iter().map(|reader| {
            // Default: nothing waits, or what does was posted by a clock that is ahead.
            let lag = reader.oldest.and_then(|oldest| (now - oldest).to_std().ok()).unwrap_or_default();
            (reader.id, reader.waiting, lag)
        });
        Ok(Waits { payouts, readers: readers.collect() })
    }

    async fn count(&self) -> Result<(), Error> {
        let Waits { payouts, readers } = self.waits().await?;
        for (status, number) in payouts {
            OPEN.record(number, &[KeyValue::new("status", status)]);
        }
        for (reader, waiting, lag) in readers {
            let which = [KeyValue::new("reader", reader)];
            WAITING.record(waiting, &which);
            LAG.record(lag.as_secs_f64(), &which);
        }
        Ok(())
    }

    async fn check(&self) -> Result<(), Error> {
        let mut db = storage::connection(&self.poster).await?;
        let found = invariants::count(&mut db, PATIENCE).await?;
        for (invariant, number) in violations(&found) {
            VIOLATIONS.record(number, &[KeyValue::new("invariant", invariant)]);
        }
        // Those that came after the count began are checked, too: then none is left.
        UNCHECKED.record((found.transfers - found.checked_transfers).max(0), &[]);
        if !found.hold {
            tracing::error!(?found, "the books do not hold");
        }
        Ok(())
    }
}

fn observe_age(meter: &Meter, checked: Arc<Mutex<Instant>>) {
    let gauge = meter.f64_observable_gauge(AGE).with_unit("s");
    let age = move || checked.lock().unwrap_or_else(PoisonError::into_inner).elapsed().as_secs_f64();
    gauge.with_callback(move |observer| observer.observe(age(), &[])).build();
}

/// Each thing that must be zero.
fn violations(found: &Invariants) -> [(&'static str, i64); 6] {
    [
        ("unbalanced_currencies", found.unbalanced_currencies),
        ("unequal_accounts", found.unequal_accounts),
        ("gapped_accounts", found.gapped_accounts),
        ("unequal_clearings", found.unequal_clearings),
        ("transfers_without_entries", found.transfers_without_entries),
        ("transfers_unlike_entries", found.transfers_unlike_entries),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each by another number, so that none is told under another's name.
    #[test]
    fn each_violation_is_told_under_its_own_name() {
        let found = Invariants {
            hold: false,
            unbalanced_currencies: 1,
            unequal_accounts: 2,
            gapped_accounts: 3,
            unequal_clearings: 4,
            transfers_without_entries: 5,
            transfers_unlike_entries: 6,
            checked_transfers: 7,
            accounts: 8,
            transfers: 9,
            entries: 10,
        };
        let told = serde_json::to_value(&found).unwrap();
        let told: Vec<_> = violations(&found).map(|(name, number)| (told[name].as_i64(), number)).into();
        assert_eq!(told, (1..=6).map(|number| (Some(number), number)).collect::<Vec<_>>());
    }
}

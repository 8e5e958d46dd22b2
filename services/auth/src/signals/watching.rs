//! How far behind the outbox is, in the metrics. Each process looks by itself; of several the worst counts, which whoever reads the metrics decides.

use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use runtime::{Shutdown, metrics};
use storage::{Pool, StorageError};

use super::store;

/// How often it is looked at: the look reads one row.
const EVERY: Duration = Duration::from_secs(5);

/// `auth.outbox.lag{reader}`: how long ago what has not been told happened, the oldest of it; 0 if all is told.
static LAG: LazyLock<Gauge<f64>> =
    LazyLock::new(|| metrics::meter().f64_gauge("auth.outbox.lag").with_unit("s").build());

/// Looks again and again.
pub struct Watching {
    pub pool: Pool,
}

impl Watching {
    /// Until the process ends. A look that fails is told in the log, and the value stays as it was.
    ///
    /// # Errors
    ///
    /// None: what cannot be looked at is looked at again.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        loop {
            match self.lag().await {
                Ok(lag) => LAG.record(lag.as_secs_f64(), &[KeyValue::new("reader", "behavior")]),
                Err(error) => tracing::warn!(cause = %error, "how far behind the outbox is cannot be read"),
            }
            if !shutdown.pause(EVERY).await {
                return Ok(());
            }
        }
    }

    /// How long ago the oldest happened that has not been told, by the database's clock.
    ///
    /// # Errors
    ///
    /// The database does not say so.
    pub async fn lag(&self) -> Result<Duration, StorageError> {
        store::lag(&self.pool).await
    }
}

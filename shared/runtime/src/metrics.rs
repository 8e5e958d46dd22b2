//! Metrics, by name in one place. They go to the OTLP endpoint when there is one and cost next to nothing otherwise.

use std::sync::LazyLock;

use opentelemetry::metrics::{Counter, Histogram, Meter};
use opentelemetry::{KeyValue, global};
use storage::Pool;

/// Seconds; the semantic conventions' boundaries for HTTP, finer at the low end.
const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static REQUESTS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    meter().f64_histogram("http.server.request.duration").with_unit("s").with_boundaries(SECONDS.to_vec()).build()
});
static DECISIONS: LazyLock<Counter<u64>> = LazyLock::new(|| meter().u64_counter("defense.decisions").build());

/// The meter for a service's own instruments. Make them on first use (`LazyLock`), never before `serve` has begun.
pub fn meter() -> Meter {
    global::meter("redoubt")
}

/// `defense.decisions{layer,outcome}`: one decision of one layer. A refusal is counted by its [record](crate::Record).
pub fn decision(layer: &'static str, outcome: &'static str) {
    DECISIONS.add(1, &[KeyValue::new("layer", layer), KeyValue::new("outcome", outcome)]);
}

/// `http.server.request.duration` by listener, method, route template and status.
pub(crate) fn request(seconds: f64, listener: &'static str, method: &'static str, route: String, status: u16) {
    REQUESTS.record(
        seconds,
        &[
            KeyValue::new("redoubt.listener", listener),
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route),
            KeyValue::new("http.response.status_code", i64::from(status)),
        ],
    );
}

/// `db.client.connection.count{state}` and `db.client.connection.pending_requests` of the pool.
pub(crate) fn observe_pool(pool: Pool) {
    let waiting = pool.clone();
    let meter = meter();
    meter
        .u64_observable_gauge("db.client.connection.count")
        .with_callback(move |observer| {
            let status = pool.status();
            let idle = status.available.min(status.size);
            observer.observe((status.size - idle) as u64, &[KeyValue::new("state", "used")]);
            observer.observe(idle as u64, &[KeyValue::new("state", "idle")]);
        })
        .build();
    meter
        .u64_observable_gauge("db.client.connection.pending_requests")
        .with_callback(move |observer| observer.observe(waiting.status().waiting as u64, &[]))
        .build();
}

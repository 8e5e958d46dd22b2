//! Metrics, by name in one place. They go to the OTLP endpoint when there is one and cost next to nothing otherwise.

use std::sync::{Arc, LazyLock};

use opentelemetry::metrics::{AsyncInstrument, Counter, Histogram, Meter};
use opentelemetry::{KeyValue, global};
use storage::Pool;
use strum::IntoEnumIterator as _;

/// Boundaries of a histogram of seconds: the semantic conventions' for HTTP, finer at the low end.
pub const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

static REQUESTS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    meter().f64_histogram("http.server.request.duration").with_unit("s").with_boundaries(SECONDS.to_vec()).build()
});
/// `redoubt.http.answers{redoubt.listener,http.request.method,http.route,outcome}`.
static ANSWERS: LazyLock<Counter<u64>> = LazyLock::new(|| meter().u64_counter("redoubt.http.answers").build());
static DECISIONS: LazyLock<Counter<u64>> = LazyLock::new(|| meter().u64_counter("defense.decisions").build());
/// `defense.alarms{layer,reason}`.
static ALARMS: LazyLock<Counter<u64>> = LazyLock::new(|| meter().u64_counter("defense.alarms").build());

/// The meter for a service's own instruments. Make them on first use (`LazyLock`), never before `serve` has begun.
pub fn meter() -> Meter {
    global::meter("redoubt")
}

/// `defense.decisions{layer,outcome}`: one decision of one layer. A refusal is counted by its [record](crate::Record).
pub fn decision(layer: &'static str, outcome: &'static str) {
    DECISIONS.add(1, &[KeyValue::new("layer", layer), KeyValue::new("outcome", outcome)]);
}

/// `defense.alarms{layer,reason}`: somebody has shown what only we can have given him, such as a decoy. Of the [records](crate::Record) that are alarms.
pub(crate) fn alarm(layer: &'static str, reason: &'static str) {
    ALARMS.add(1, &[KeyValue::new("layer", layer), KeyValue::new("reason", reason)]);
}

/// An alarm that may be raised, and has not been: shown as zero from the start, since of what begins with one nobody sees that it has grown.
pub fn alarm_may_come(layer: &'static str, reason: &'static str) {
    ALARMS.add(0, &[KeyValue::new("layer", layer), KeyValue::new("reason", reason)]);
}

/// How much of one kind a memory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Which memory.
    pub memory: &'static str,
    /// Of what kind.
    pub class: &'static str,
    /// How many are remembered now.
    pub entries: usize,
    /// How many there can be.
    pub most: usize,
}

/// `defense.memory.entries` and `defense.memory.capacity{memory,class}`: how full the bounded memories are, as `sizes` says it whenever metrics are sent.
pub fn observe_memory(sizes: impl Fn() -> Vec<Size> + Send + Sync + 'static) {
    let sizes = Arc::new(sizes);
    let observe = |name: &'static str, number: fn(&Size) -> usize| {
        let sizes = Arc::clone(&sizes);
        let observed = move |observer: &dyn AsyncInstrument<u64>| {
            for size in sizes() {
                let which = [KeyValue::new("memory", size.memory), KeyValue::new("class", size.class)];
                observer.observe(number(&size) as u64, &which);
            }
        };
        meter().u64_observable_gauge(name).with_callback(observed).build();
    };
    observe("defense.memory.entries", |size| size.entries);
    observe("defense.memory.capacity", |size| size.most);
}

/// How an answer is counted: a fault is ours (5xx), a refusal the caller's (4xx).
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case", const_into_str)]
enum Outcome {
    Done,
    Refused,
    Fault,
}

impl Outcome {
    fn of(status: u16) -> Self {
        match status {
            500.. => Self::Fault,
            400..500 => Self::Refused,
            _ => Self::Done,
        }
    }
}

fn answer(listener: &'static str, method: String, route: String, outcome: Outcome) -> [KeyValue; 4] {
    [
        KeyValue::new("redoubt.listener", listener),
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route),
        KeyValue::new("outcome", outcome.into_str()),
    ]
}

/// Answers of a route that may come, and have not: a route's first fault is seen to be one more than none, which of a histogram's series, born with it,
/// nobody could.
pub(crate) fn answers_may_come(listener: &'static str, method: &str, route: &str) {
    for outcome in Outcome::iter() {
        ANSWERS.add(0, &answer(listener, method.to_owned(), route.to_owned(), outcome));
    }
}

/// `http.server.request.duration` by listener, method, route template and status; and one answer more.
pub(crate) fn request(seconds: f64, listener: &'static str, method: &'static str, route: String, status: u16) {
    ANSWERS.add(1, &answer(listener, method.to_owned(), route.clone(), Outcome::of(status)));
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

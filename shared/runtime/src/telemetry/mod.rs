//! Logs to standard output, traces and metrics to an OTLP/HTTP receiver, metrics to Prometheus when it asks.
//!
//! Installed once per process by [`crate::run()`]; in tests nothing is installed and everything here costs nothing.

mod json;
mod otlp;
mod prometheus;

use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{LogFormat, Telemetry};

pub use json::{JsonLines, Sink};
pub use prometheus::{Exposition, MEDIA_TYPE};

/// How long spans wait at most before they are sent.
const TRACE_DELAY: Duration = Duration::from_secs(1);

/// How long the last telemetry may take on its way.
const FLUSH: Duration = Duration::from_secs(5);

/// Holds the exporters; flush them with [`Guard::flush`] before the process ends.
pub struct Guard {
    tracer: SdkTracerProvider,
    meter: SdkMeterProvider,
    /// What Prometheus is told, if it may ask.
    exposition: Option<Exposition>,
}

/// Installs logging, tracing and metrics for the whole process. Call it inside the runtime.
pub fn init(service: &'static str, config: &Telemetry) -> Result<Guard> {
    init_with(service, config, Sink::Stdout)
}

/// [`init`] with the JSON log lines going to `sink`.
pub fn init_with(service: &'static str, config: &Telemetry, sink: Sink) -> Result<Guard> {
    let guard = providers(service, config)?;
    global::set_meter_provider(guard.meter.clone());
    subscriber(service, config, &guard, sink)?.try_init().context("telemetry is installed already")?;
    if let Some(exposition) = guard.exposition.clone() {
        exposition.install();
    }
    Ok(guard)
}

fn subscriber(
    service: &'static str,
    config: &Telemetry,
    guard: &Guard,
    sink: Sink,
) -> Result<impl Subscriber + Send + Sync + 'static> {
    // The audit log does not depend on the log level, nor do the spans that say where an audit line came from: they have its target. actix tells of each of its threads at `info`, and calls it an error when a stranger speaks
    // no HTTP, which `listener` tells.
    let filter =
        EnvFilter::try_new(format!("actix_server=warn,actix_http::h1::dispatcher=off,{},audit=info", config.log))
            .with_context(|| format!("telemetry.log `{}` is not a log filter", config.log))?;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(guard.tracer.tracer("redoubt"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    let logs = match config.log_format {
        LogFormat::Json => JsonLines::new(service, sink).boxed(),
        LogFormat::Text => tracing_subscriber::fmt::layer().with_ansi(false).boxed(),
    };
    Ok(tracing_subscriber::registry().with(filter).with(spans).with(logs))
}

impl Guard {
    /// Sends what is left and closes the exporters.
    pub async fn flush(self) {
        // The exporters' threads wait for HTTP that this runtime drives, so this must not hold one of its workers.
        let flushing = tokio::task::spawn_blocking(move || {
            (self.tracer.shutdown_with_timeout(Duration::from_secs(3)), self.meter.shutdown())
        });
        // A receiver that hangs does not keep the process.
        drop(tokio::time::timeout(FLUSH, flushing).await);
    }
}

fn providers(service: &'static str, config: &Telemetry) -> Result<Guard> {
    let resource = Resource::builder().with_service_name(service).build();
    let mut tracer = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        // Whoever calls does not decide whether we record: a flag of theirs is not looked at. What they can choose is the trace's id.
        .with_sampler(Sampler::TraceIdRatioBased(1.0 / f64::from(config.one_trace_in.get())));
    let mut meter = SdkMeterProvider::builder().with_resource(resource);
    if let Some(endpoint) = &config.otlp_endpoint {
        let exporters = otlp::exporters(endpoint)?;
        let batch = BatchConfigBuilder::default().with_scheduled_delay(TRACE_DELAY).build();
        tracer =
            tracer.with_span_processor(BatchSpanProcessor::builder(exporters.spans).with_batch_config(batch).build());
        let interval = Duration::from_secs(config.interval_seconds.max(1).into());
        meter = meter.with_reader(PeriodicReader::builder(exporters.metrics).with_interval(interval).build());
    }
    let mut exposition = None;
    if config.prometheus {
        let (reader, shown) = prometheus::reader()?;
        (meter, exposition) = (meter.with_reader(reader), Some(shown));
    }
    Ok(Guard { tracer: tracer.build(), meter: meter.build(), exposition })
}

#[cfg(test)]
mod tests;

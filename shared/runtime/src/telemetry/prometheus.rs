//! The metrics for whoever comes for them: in Prometheus' text format (<https://prometheus.io/docs/instrumenting/exposition_formats>, version 0.0.4).
//!
//! What there is, is what OTLP sends too; a name has `_` for each `.`, its unit and, of a counter, `_total` at its end. How many series one instrument may
//! have is bounded by the SDK (2000); what is beyond that is in one of its own.

use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Registry, TextEncoder};

/// The media type of [`Exposition::text`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// This process's, once telemetry is installed and the configuration says so.
static INSTALLED: OnceLock<Exposition> = OnceLock::new();

/// What the process measures, as it stands whenever somebody asks.
#[derive(Debug, Clone)]
pub struct Exposition(Registry);

impl Exposition {
    /// This process's. `None`: the configuration does not say `telemetry.prometheus`, or telemetry is not installed.
    pub fn installed() -> Option<&'static Self> {
        INSTALLED.get()
    }

    /// All of it, now.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn text(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.0.gather()).context("the metrics cannot be written")
    }

    /// Makes it this process's. The first one stays.
    pub(super) fn install(self) {
        drop(INSTALLED.set(self));
    }
}

/// What reads the instruments, and what shows what it has read. The series have no labels but the instruments' own: who they are of, whoever asks knows.
pub(super) fn reader() -> Result<(PrometheusExporter, Exposition)> {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_target_info()
        .scope_info_enabled(false)
        .build()?;
    Ok((reader, Exposition(registry)))
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::SdkMeterProvider;

    use super::*;

    fn shown(measure: impl FnOnce(opentelemetry::metrics::Meter)) -> String {
        let (reader, exposition) = reader().unwrap();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        measure(provider.meter("test"));
        exposition.text().unwrap()
    }

    #[test]
    fn what_is_measured_is_shown_under_the_names_that_prometheus_gives_it() {
        let text = shown(|meter| {
            meter.u64_counter("defense.decisions").build().add(2, &[KeyValue::new("layer", "waf")]);
            meter.i64_gauge("ledger.payouts.open").with_unit("{payout}").build().record(-3, &[]);
            let seconds = meter.f64_histogram("a.wait").with_unit("s").with_boundaries(vec![0.1, 1.0]).build();
            for value in [0.05, 0.5, 0.5, 7.0] {
                seconds.record(value, &[]);
            }
        });
        let expected = "# TYPE a_wait_seconds histogram\n\
            a_wait_seconds_bucket{le=\"0.1\"} 1\na_wait_seconds_bucket{le=\"1\"} 3\na_wait_seconds_bucket{le=\"+Inf\"} 4\n\
            a_wait_seconds_sum 8.05\na_wait_seconds_count 4\n\
            # TYPE defense_decisions_total counter\ndefense_decisions_total{layer=\"waf\"} 2\n\
            # TYPE ledger_payouts_open gauge\nledger_payouts_open -3\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_value_that_a_stranger_has_chosen_stays_one_value() {
        let hostile = "a\"} 1\nforged_total{x=\"\\";
        let text = shown(|meter| meter.u64_counter("c").build().add(1, &[KeyValue::new("route", hostile)]));
        assert!(text.contains(r#"c_total{route="a\"} 1\nforged_total{x=\"\\"} 1"#), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("forged")), "{text}");
    }

    #[test]
    fn an_instrument_has_no_more_series_than_it_may_have() {
        let text = shown(|meter| {
            let counter = meter.u64_counter("c").build();
            for number in 0..5_000_i64 {
                counter.add(1, &[KeyValue::new("id", number)]);
            }
        });
        assert!((1..=2_001).contains(&text.lines().filter(|line| line.starts_with("c_total")).count()));
        assert!(text.contains("c_total{otel_metric_overflow=\"true\"} 30"), "{text}");
    }

    #[test]
    fn nothing_is_shown_where_nobody_has_said_so() {
        let quiet = super::super::providers("probe", &crate::config::Telemetry::default()).unwrap();
        assert!(quiet.exposition.is_none());
        let told = crate::config::Telemetry { prometheus: true, ..crate::config::Telemetry::default() };
        assert!(super::super::providers("probe", &told).unwrap().exposition.is_some());
    }
}

//! All of it, gathered when the run is over.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use mobile_sdk::{Clock as _, SystemClock};
use serde_json::Value;
use system::telemetry::Kind;
use testkit::collector::Span;
use testkit::pki::Pki;

use super::Series;
use crate::PATIENCE;
use crate::stack::Stack;
use crate::trace::Collector;

/// What was told, and by whom.
#[derive(Debug, Default)]
pub struct Told {
    /// All that the collector has.
    pub spans: Vec<Span>,
    /// What each service has sent there last.
    pub metrics: BTreeMap<String, Vec<Measured>>,
    /// What each shows to Prometheus.
    pub shown: BTreeMap<String, String>,
    /// The lines of each.
    pub logs: BTreeMap<String, String>,
    /// The metrics as they came.
    pub sent: Value,
}

/// One metric of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub name: String,
    pub kind: Kind,
    /// As it came.
    pub unit: String,
    /// The attributes of each of its series.
    pub series: Vec<Series>,
}

impl Told {
    /// Waits for metrics of every service that were measured after this was asked. What each shows is asked for in one trace.
    pub async fn gather(stack: &Stack, pki: &Pki, traceparent: &str) -> Result<Self> {
        let since_ns = u64::try_from(SystemClock.unix_nanos())?;
        let collector = Collector::of(stack)?;
        let sent: Value = crate::until("the last metrics of every service", PATIENCE, async || {
            let sent: Value = collector.get("metrics").await?;
            let all = stack
                .services
                .iter()
                .all(|service| sent.get(&service.name).is_some_and(|of| measured_at(of) > since_ns));
            Ok(all.then_some(sent))
        })
        .await?;
        let watcher = testkit::server::client(&pki.internal_ca(), Some(&pki.internal("watcher")))?;
        let mut told = Self { spans: collector.get("spans").await?, ..Self::default() };
        // What stands for the world outside tells of itself, too; it is no part of the system.
        told.spans.retain(|span| stack.services.iter().any(|service| service.name == span.service));
        for service in &stack.services {
            let name = &service.name;
            told.metrics.insert(name.clone(), measured(sent.get(name).context("a service that has sent nothing")?)?);
            let asking = watcher.get(format!("{}/metrics", service.internal_url)).header("traceparent", traceparent);
            let answer = asking.send().await.and_then(reqwest::Response::error_for_status);
            told.shown.insert(name.clone(), answer.with_context(|| format!("the metrics of {name}"))?.text().await?);
            let log = stack.logs.join(format!("{name}.log"));
            let lines = tokio::fs::read_to_string(&log).await.with_context(|| log.display().to_string())?;
            told.logs.insert(name.clone(), lines);
        }
        Ok(Self { sent, ..told })
    }
}

/// The metrics of a service in OTLP's JSON.
fn metrics(sent: &Value) -> impl Iterator<Item = &Value> {
    let scopes = sent.get("scopeMetrics").and_then(Value::as_array).into_iter().flatten();
    scopes.filter_map(|scope| scope.get("metrics")?.as_array()).flatten()
}

fn points(metric: &Value) -> Option<(Kind, &Vec<Value>)> {
    let kinds = [("sum", Kind::Counter), ("gauge", Kind::Gauge), ("histogram", Kind::Histogram)];
    kinds.into_iter().find_map(|(name, kind)| Some((kind, metric.get(name)?.get("dataPoints")?.as_array()?)))
}

/// When the newest of them was; 0: there are none.
fn measured_at(sent: &Value) -> u64 {
    let points = metrics(sent).filter_map(points).flat_map(|(_, points)| points);
    let times = points.filter_map(|point| point.get("timeUnixNano")?.as_str()?.parse().ok());
    times.max().unwrap_or_default() // Default: a service that has measured nothing.
}

fn measured(sent: &Value) -> Result<Vec<Measured>> {
    let mut all = Vec::new();
    for metric in metrics(sent) {
        let name = metric.get("name").and_then(Value::as_str).context("a metric without a name")?.to_owned();
        let Some((kind, points)) = points(metric) else { bail!("{name} is of no kind that is known here") };
        if metric.pointer("/sum/isMonotonic").is_some_and(|it| it != &Value::Bool(true)) {
            bail!("{name} goes up and down: that is a gauge");
        }
        // Default: OTLP leaves out what is empty.
        let unit = metric.get("unit").and_then(Value::as_str).unwrap_or_default().to_owned();
        all.push(Measured { name, kind, unit, series: points.iter().map(series).collect::<Result<_>>()? });
    }
    Ok(all)
}

fn series(point: &Value) -> Result<Series> {
    let attributes = point.get("attributes").and_then(Value::as_array).into_iter().flatten();
    let read = |attribute: &Value| {
        let key = attribute.get("key")?.as_str()?.to_owned();
        let (_, value) = attribute.get("value")?.as_object()?.iter().next()?;
        Some((key, crate::in_words(value)))
    };
    attributes.map(|attribute| read(attribute).with_context(|| format!("{attribute} is no attribute"))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics_are_read_as_they_come() {
        let point = json!({"timeUnixNano": "7", "attributes": [
            {"key": "layer", "value": {"stringValue": "waf"}}, {"key": "status", "value": {"intValue": "200"}}]});
        let sent = json!({"scopeMetrics": [{"metrics": [
            {"name": "c", "unit": "", "sum": {"isMonotonic": true, "dataPoints": [point]}},
            {"name": "h", "unit": "s", "histogram": {"dataPoints": [{"timeUnixNano": "9", "attributes": []}]}}]}]});
        let read = measured(&sent).unwrap();
        let series = Series::from([("layer", "waf"), ("status", "200")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let c = Measured { name: "c".to_owned(), kind: Kind::Counter, unit: String::new(), series: vec![series] };
        assert_eq!((&read[0], read[1].kind, read[1].unit.as_str()), (&c, Kind::Histogram, "s"));
        assert_eq!((measured_at(&sent), measured_at(&Value::Null)), (9, 0));
        let falls = sent.to_string().replace("\"isMonotonic\":true", "\"isMonotonic\":false");
        assert!(measured(&serde_json::from_str(&falls).unwrap()).is_err());
        assert!(measured(&json!({"scopeMetrics": [{"metrics": [{"name": "s", "summary": {}}]}]})).is_err());
    }
}

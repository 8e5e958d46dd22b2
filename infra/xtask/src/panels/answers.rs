//! What a Prometheus answers to the queries of a panel, over a time; and what is wrong with an answer.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use ladder::prometheus::Server;
use serde_json::Value;
use system::telemetry::Telemetry;

use super::boards::{Panel, Target};

/// From when until when, in seconds since 1970, and how far two points are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) step: f64,
}

/// One line of a panel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Seconds since 1970, and the value; in that order. Only what is a number.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    pub(crate) fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |(_, value)| *value) // Default: nobody makes one without a point.
    }

    pub(crate) fn most(&self) -> f64 {
        self.points.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// What a panel shows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) series: Vec<Series>,
    /// Why some of it is empty, and has to be.
    pub(crate) reasons: Vec<String>,
    pub(crate) faults: Vec<String>,
}

/// Asks everything that the panel asks for.
pub(crate) fn shown(prometheus: &Server, panel: &Panel, span: Span, schema: &Telemetry) -> Shown {
    let mut shown = Shown::default();
    for target in &panel.targets {
        match ask(prometheus, &target.query, span) {
            Ok(answer) => shown.add(target, &answer, schema),
            Err(error) => shown.faults.push(format!("`{}`: {error:#}", target.query)),
        }
    }
    for fault in &mut shown.faults {
        fault.insert_str(0, &format!("{}: ", panel.title));
    }
    shown
}

impl Shown {
    fn add(&mut self, Target { query, legend }: &Target, answer: &[Value], schema: &Telemetry) {
        let before = self.series.len();
        for one in answer {
            let labels = labels(one);
            let (name, lacking) = named(legend, &labels);
            let points = points(one);
            if let Some(label) = lacking {
                self.faults.push(format!("`{query}` has no label `{label}`, which its legend names"));
            }
            if !points.is_empty() {
                self.series.push(Series { name, points });
            }
        }
        if self.series.len() == before {
            match unseen(query, schema) {
                Some(reason) => self.reasons.push(reason),
                None if !answer.is_empty() => self.reasons.push(format!("`{query}` is answered, and with no number")),
                None => self.faults.push(format!("nothing answers `{query}`")),
            }
        }
    }
}

pub(crate) fn ask(prometheus: &Server, query: &str, Span { from, to, step }: Span) -> Result<Vec<Value>> {
    let query = query.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let path = format!("/api/v1/query_range?query={query}&start={from}&end={to}&step={step}");
    let answer: Value = serde_json::from_str(&prometheus.ask(&path).map_err(anyhow::Error::msg)?)?;
    let kind = answer.pointer("/data/resultType").and_then(Value::as_str);
    ensure!(kind == Some("matrix"), "Prometheus answers with {kind:?}");
    let series =
        answer.pointer("/data/result").and_then(Value::as_array).context("Prometheus answers without a result")?;
    Ok(series.clone())
}

fn labels(series: &Value) -> BTreeMap<&str, &str> {
    let labels = series.get("metric").and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}

/// Without what is no number: nothing divided by nothing.
fn points(series: &Value) -> Vec<(f64, f64)> {
    let points = series.get("values").and_then(Value::as_array).into_iter().flatten();
    let points = points.filter_map(|point| {
        let value: f64 = point.get(1)?.as_str()?.parse().ok()?;
        Some((point.get(0)?.as_f64()?, value))
    });
    points.filter(|(_, value)| value.is_finite()).collect()
}

/// A legend with its labels filled in, and the first label that is not there.
fn named(legend: &str, labels: &BTreeMap<&str, &str>) -> (String, Option<String>) {
    let (mut name, mut lacking, mut rest) = (String::new(), None, legend);
    while let Some((before, after)) = rest.split_once("{{") {
        name.push_str(before);
        let Some((label, after)) = after.split_once("}}") else { break };
        match labels.get(label.trim()) {
            Some(value) => name.push_str(value),
            None => lacking = lacking.or_else(|| Some(label.trim().to_owned())),
        }
        rest = after;
    }
    name.push_str(rest);
    (name, lacking)
}

/// Why no run shows what the query asks for, as the schema says.
fn unseen(query: &str, schema: &Telemetry) -> Option<String> {
    schema.metrics.iter().find_map(|(name, metric)| {
        let reason = metric.unseen.as_ref()?;
        let asked = metric.series(name).iter().any(|series| query.contains(series.as_str()));
        asked.then(|| format!("{name}: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(query: &str, legend: &str) -> Target {
        Target { query: query.to_owned(), legend: legend.to_owned() }
    }

    fn added(target: &Target, answer: &Value) -> Shown {
        let mut shown = Shown::default();
        shown.add(target, answer.as_array().unwrap(), system::telemetry::telemetry().unwrap());
        shown
    }

    #[test]
    fn an_answer_is_lines_with_names_and_without_what_is_no_number() {
        let answer = json!([{ "metric": { "job": "auth" }, "values": [[1, "NaN"], [2.5, "0.5"], [3, "+Inf"]] }]);
        let shown = added(&target("up", "{{job}} p50"), &answer);
        assert_eq!(shown.series, [Series { name: "auth p50".to_owned(), points: vec![(2.5, 0.5)] }]);
        assert!(shown.faults.is_empty() && shown.reasons.is_empty());
    }

    #[test]
    fn what_nothing_answers_is_a_fault_unless_the_schema_says_why() {
        assert_eq!(added(&target("up", "up"), &json!([])).faults, ["nothing answers `up`"]);
        let no_number = added(&target("up", "up"), &json!([{ "metric": {}, "values": [[1, "NaN"]] }]));
        assert!(no_number.faults.is_empty() && no_number.reasons == ["`up` is answered, and with no number"]);
        let unseen = added(&target("rate(attestation_notes_total[5m])", "odd"), &json!([]));
        assert!(unseen.faults.is_empty() && unseen.reasons[0].starts_with("attestation.notes: "), "{unseen:?}");
    }

    #[test]
    fn a_legend_that_names_a_label_that_is_not_there_is_a_fault() {
        let answer = json!([{ "metric": { "job": "auth" }, "values": [[1, "1"]] }]);
        let shown = added(&target("up", "{{job}} {{state}}"), &answer);
        assert_eq!(shown.faults, ["`up` has no label `state`, which its legend names"]);
    }
}

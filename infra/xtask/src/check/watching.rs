//! What watches the system is true: each alert has a runbook and a test, each runbook an alert; rules and dashboards name only what the schema has
//! (`infra/watching/schema.toml`), and runbooks only routes that there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use system::telemetry::{Telemetry, telemetry};

use super::Complaints;
use super::sources::Source;

const ALERTS: &str = "infra/watching/alerts.yaml";
const TESTS: &str = "infra/watching/alerts.test.yaml";
const DASHBOARDS: &str = "infra/watching/dashboards/";
const RUNBOOKS: &str = "docs/runbooks/";
/// What Prometheus has of its own: whether a target answers.
const OWN: &str = "up";
/// Labels that Prometheus gives, and the bound of a bucket.
const OWN_LABELS: [&str; 3] = ["job", "instance", "le"];
/// Words of `PromQL` that are no names.
const WORDS: [&str; 14] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "and",
    "or",
    "unless",
    "offset",
    "bool",
    "inf",
    "nan",
    "atan2",
];

pub(super) fn all(files: &[Source]) -> Complaints {
    let text = |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let (Some(alerts), Some(tests)) = (text(ALERTS), text(TESTS)) else {
        return vec![format!("{ALERTS} or {TESTS} is missing")];
    };
    let schema = match telemetry() {
        Ok(schema) => Names::of(schema),
        Err(error) => return vec![error.to_string()],
    };
    let mut complaints = Complaints::new();
    let rules = rules(alerts, &mut complaints);
    for rule in &rules {
        complaints.extend(rule.complaints(files, tests));
        complaints.extend(
            schema.strange(&rule.expression).into_iter().map(|what| format!("{ALERTS}: {}: {what}", rule.name)),
        );
    }
    for file in files {
        if let Some(name) = file.path.strip_prefix(RUNBOOKS).and_then(|name| name.strip_suffix(".md")) {
            // What is no alert's has no alert's name.
            let of_alert = name.starts_with(|first: char| first.is_ascii_uppercase());
            if of_alert && !rules.iter().any(|rule| rule.name == name) {
                complaints.push(format!("{}: there is no alert {name}", file.path));
            }
            complaints.extend(lost_routes(file, files));
        } else if file.path.starts_with(DASHBOARDS) {
            complaints.extend(dashboard(file, &schema));
        }
    }
    if !files.iter().any(|file| file.path.starts_with(DASHBOARDS)) || rules.is_empty() {
        complaints.push("there are no alerts, or no dashboards: this rule reads them no more".to_owned());
    }
    complaints
}

/// An alert.
#[derive(Debug, Default)]
struct Rule {
    name: String,
    expression: String,
    runbook: String,
}

/// Line by line: the file keeps to the form that it says it has.
fn rules(text: &str, complaints: &mut Complaints) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            rules.push(Rule { name: name.to_owned(), ..Rule::default() });
            continue;
        }
        let Some(rule) = rules.last_mut() else { continue };
        if let Some(expression) = line.strip_prefix("expr:") {
            expression.trim().clone_into(&mut rule.expression);
            if ["", "|", ">"].iter().any(|sign| rule.expression == *sign || rule.expression == format!("{sign}-")) {
                complaints.push(format!("{ALERTS}: {}: its expression does not stand in one line", rule.name));
            }
        } else if let Some(runbook) = line.strip_prefix("runbook_url: ") {
            runbook.clone_into(&mut rule.runbook);
        }
    }
    rules
}

impl Rule {
    fn complaints(&self, files: &[Source], tests: &str) -> Complaints {
        let mut complaints = Complaints::new();
        let name = &self.name;
        let expected = format!("{RUNBOOKS}{name}.md");
        if self.runbook != expected {
            complaints.push(format!("{ALERTS}: {name}: its runbook is `{}`, not {expected}", self.runbook));
        }
        if !files.iter().any(|file| file.path == expected) {
            complaints.push(format!("{ALERTS}: {name}: {expected} is not there"));
        }
        if !tests.contains(&format!("alertname=\"{name}\"")) {
            complaints.push(format!("{TESTS}: nothing tests {name}"));
        }
        complaints
    }
}

/// The names that queries may have.
struct Names {
    series: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    fn of(schema: &Telemetry) -> Self {
        let label = |name: &String| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let of_metric =
            |metric: &str| schema.metrics.get(metric).map(|metric| metric.attributes.iter().map(label).collect());
        let series = schema.series();
        let series = series.iter().filter_map(|(series, metric)| Some((series.clone(), of_metric(metric)?))).collect();
        Self { series }
    }

    /// What in a query of `PromQL` is no series and no label of one of its series.
    fn strange(&self, query: &str) -> Complaints {
        let found = parts(query);
        let mut complaints = Complaints::new();
        let mut labels: BTreeSet<&str> = OWN_LABELS.into();
        for name in &found.series {
            match self.series.get(*name) {
                Some(known) => labels.extend(known.iter().map(String::as_str)),
                None if *name == OWN => (),
                None => complaints.push(format!("the schema has no metric that is `{name}` in Prometheus")),
            }
        }
        if found.series.is_empty() {
            complaints.push(format!("`{query}` asks for nothing"));
        }
        let strange = found.labels.difference(&labels);
        complaints.extend(strange.map(|label| format!("no metric of `{query}` has a label `{label}`")));
        complaints
    }
}

#[derive(Debug, Default)]
struct Parts<'a> {
    series: BTreeSet<&'a str>,
    labels: BTreeSet<&'a str>,
}

/// Names outside of quotes: labels inside braces and after `by` and its like, series otherwise. What stands before a parenthesis is a function.
fn parts(query: &str) -> Parts<'_> {
    let mut found = Parts::default();
    let (mut rest, mut braces, mut list, mut grouped) = (query, false, false, false);
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len()); // Default: all of it is one.
        if end > 0 {
            let (name, after) = rest.split_at(end);
            rest = after;
            if c.is_ascii_digit() {
                continue;
            }
            let after = rest.trim_start();
            let called = ["(", "by ", "by(", "without ", "without("].iter().any(|sign| after.starts_with(sign));
            if braces || list {
                found.labels.insert(name);
            } else if WORDS.contains(&name) {
                grouped = called && !["and", "or", "unless"].contains(&name);
            } else if !called {
                found.series.insert(name);
            }
            continue;
        }
        rest = match c {
            '"' => rest.split('"').nth(1).map_or("", |quoted| rest.get(quoted.len() + 2..).unwrap_or_default()), // Default: it has no end.
            '[' => rest.split_once(']').map_or("", |(_, rest)| rest),
            _ => rest.get(c.len_utf8()..).unwrap_or_default(), // Default: that was the last.
        };
        match c {
            '{' => braces = true,
            '}' => braces = false,
            '(' => list = std::mem::take(&mut grouped),
            ')' => list = false,
            _ => (),
        }
    }
    found
}

fn dashboard(file: &Source, schema: &Names) -> Complaints {
    let Ok(dashboard) = serde_json::from_str::<Value>(&file.text) else {
        return vec![format!("{} is no JSON", file.path)];
    };
    let panels = dashboard.get("panels").and_then(Value::as_array).into_iter().flatten();
    let queries: Vec<&str> = panels
        .filter_map(|panel| panel.get("targets")?.as_array())
        .flatten()
        .filter_map(|target| target.get("expr")?.as_str())
        .collect();
    if queries.is_empty() {
        return vec![format!("{} asks for nothing", file.path)];
    }
    let strange = queries.into_iter().flat_map(|query| schema.strange(query));
    strange.map(|what| format!("{}: {what}", file.path)).collect()
}

/// Routes that a runbook names (`GET /…`), and that no service has.
fn lost_routes(runbook: &Source, files: &[Source]) -> Complaints {
    let contracts =
        || files.iter().filter(|file| file.path.starts_with("services/") && file.path.contains("/openapi."));
    let spans = runbook.text.split('`').skip(1).step_by(2);
    let routes = spans.filter_map(|span| ["GET ", "POST "].iter().find_map(|method| span.strip_prefix(method)));
    let known = |route: &&str| contracts().any(|file| file.text.contains(&format!("\"{route}\"")));
    routes.filter(|route| !known(route)).map(|route| format!("{}: no service has {route}", runbook.path)).collect()
}

#[cfg(test)]
#[path = "watching_tests.rs"]
mod tests;

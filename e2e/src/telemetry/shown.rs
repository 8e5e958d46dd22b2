//! What a service shows to Prometheus, beside what the schema says that it would be.

use std::collections::{BTreeMap, BTreeSet};

use system::telemetry::Telemetry;

/// The names of all series that stand in the text.
fn series(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.is_empty()).collect()
}

/// What it shows that the schema has no name for, and what it has sent to the collector and does not show.
pub(super) fn differences(schema: &Telemetry, service: &str, sent: &BTreeSet<&str>, text: &str) -> Vec<String> {
    let known: BTreeMap<String, &str> = schema.series();
    let mut found = Vec::new();
    let mut shown = BTreeSet::new();
    for name in series(text) {
        match known.get(name) {
            Some(metric) => drop(shown.insert(*metric)),
            None => found.push(format!("{service} shows {name}, which the schema has no name for")),
        }
    }
    found.extend(sent.difference(&shown).map(|name| format!("{service} measures {name} and does not show it")));
    found
}

#[cfg(test)]
mod tests {
    use system::telemetry::telemetry;

    use super::*;

    const TEXT: &str = "# TYPE http_server_request_duration_seconds histogram\n\
        http_server_request_duration_seconds_bucket{le=\"1\",http_route=\"/v1/a{id}\"} 1\n\
        http_server_request_duration_seconds_sum 1\nhttp_server_request_duration_seconds_count 1\n";

    fn differences_of(sent: &[&str], text: &str) -> Vec<String> {
        differences(telemetry().unwrap(), "ledger", &sent.iter().copied().collect(), text)
    }

    #[test]
    fn what_is_shown_is_what_was_sent() {
        assert_eq!(differences_of(&["http.server.request.duration"], TEXT), Vec::<String>::new());
        let unknown = format!("{TEXT}a_new_total 1\n");
        let found = differences_of(&["http.server.request.duration"], &unknown);
        assert_eq!(found, ["ledger shows a_new_total, which the schema has no name for"]);
        let found = differences_of(&["http.server.request.duration", "ledger.orders"], TEXT);
        assert_eq!(found, ["ledger measures ledger.orders and does not show it"]);
    }
}

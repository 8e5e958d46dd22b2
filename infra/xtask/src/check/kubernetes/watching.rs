//! How a cluster's Prometheus and Grafana come to know of the system: what of it is made of `infra/system.toml` and `infra/watching`, and that all of it is
//! rendered. Kinds of the Prometheus operator have no schema here.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use system::System;

use super::super::Complaints;
use super::super::sources::Source;
use super::policies::PROMETHEUS;
use super::rendered::{COMPONENT, Objects, list, name_of, pairs, text, texts};

pub(super) const MONITORS: &str = "infra/k8s/components/watching/monitors.yaml";
pub(super) const RULES: &str = "infra/k8s/components/watching/rules.yaml";
const ALERTS: &str = "infra/watching/alerts.yaml";
const DASHBOARDS: &str = "infra/watching/dashboards/";
/// Whom `GET /metrics` answers.
const WATCHER: &str = "watcher";
const SECRET: &str = "watcher-internal";
const NAME: &str = "app.kubernetes.io/name";

/// The text of [`MONITORS`].
pub(super) fn monitors(system: &System) -> String {
    let head = "# Made by `cargo xtask check --fix` from infra/system.toml: each service is a job of its name, asked as the workload `watcher`, and has to show the name that only\n\
         # its own certificate has.\n";
    let monitors = system.services.iter().map(|service| {
        let name = &service.name;
        format!(
            "apiVersion: monitoring.coreos.com/v1\n\
             kind: PodMonitor\n\
             metadata: {{ name: {name} }}\n\
             spec:\n\
             \x20 jobLabel: {NAME}\n\
             \x20 selector: {{ matchLabels: {{ {NAME}: {name}, {COMPONENT}: service }} }}\n\
             \x20 podMetricsEndpoints:\n\
             \x20   - port: internal\n\
             \x20     path: /metrics\n\
             \x20     scheme: https\n\
             \x20     tlsConfig:\n\
             \x20       serverName: {name}\n\
             \x20       ca: {{ secret: {{ name: {SECRET}, key: ca.crt }} }}\n\
             \x20       cert: {{ secret: {{ name: {SECRET}, key: tls.crt }} }}\n\
             \x20       keySecret: {{ name: {SECRET}, key: tls.key }}\n"
        )
    });
    head.to_owned() + &monitors.collect::<Vec<_>>().join("---\n")
}

/// The text of [`RULES`]; none without the alerts.
pub(super) fn rules(files: &[Source]) -> Option<String> {
    let (_, groups) = alerts(files)?.split_once("\ngroups:\n")?;
    let lines = groups.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") });
    Some(format!(
        "# Made by `cargo xtask check --fix` from {ALERTS}.\n\
         apiVersion: monitoring.coreos.com/v1\n\
         kind: PrometheusRule\n\
         metadata: {{ name: redoubt }}\n\
         spec:\n\
         \x20 groups:\n\
         {}\n",
        lines.collect::<Vec<_>>().join("\n")
    ))
}

fn alerts(files: &[Source]) -> Option<&str> {
    files.iter().find(|file| file.path == ALERTS).map(|file| file.text.as_str())
}

/// What production is watched by.
pub(super) fn all(objects: &Objects, system: &System, trust_domain: &str, files: &[Source]) -> Complaints {
    let mut complaints = Complaints::new();
    for service in &system.services {
        let mut wants = |good: bool, what: &str| {
            complaints.extend((!good).then(|| format!("{}: {what}", service.name)));
        };
        wants(
            is_monitored(objects, &service.name),
            "no PodMonitor has Prometheus ask it, as the watcher, and knows it by its name",
        );
        wants(is_reached(objects, &service.name), "Prometheus has no way to its internal listener");
        wants(tells(objects, &service.name), "its settings do not have it answer `GET /metrics`");
    }
    complaints.extend(certificate(objects, trust_domain));
    complaints.extend(called(objects, files));
    complaints.extend(shown(objects, files));
    complaints
}

fn is_monitored(objects: &Objects, service: &str) -> bool {
    let Some(monitor) = objects.named("PodMonitor", service) else { return false };
    let key = |file: &str| json!({ "name": SECRET, "key": file });
    let endpoints = json!([{
        "port": "internal",
        "path": "/metrics",
        "scheme": "https",
        "tlsConfig": {
            "serverName": service,
            "ca": { "secret": key("ca.crt") },
            "cert": { "secret": key("tls.crt") },
            "keySecret": key("tls.key"),
        },
    }]);
    // The rules miss a service by its job.
    let job = text(monitor, "/spec/jobLabel") == NAME;
    let selector = pairs(monitor, "/spec/selector/matchLabels");
    let workloads = objects.workloads();
    let selected = workloads.iter().filter(|workload| workload.is_selected(&selector)).map(|workload| workload.name);
    job && selected.eq([service]) && monitor.pointer("/spec/podMetricsEndpoints") == Some(&endpoints)
}

/// From the namespace of the cluster's Prometheus.
fn is_reached(objects: &Objects, service: &str) -> bool {
    let workloads = objects.workloads();
    let Some(workload) = workloads.iter().find(|workload| workload.name == service) else { return false };
    let of_it = objects.of_kind("NetworkPolicy").filter(|policy| {
        let selector = pairs(policy, "/spec/podSelector/matchLabels");
        texts(policy, "/spec/policyTypes").contains(&"Ingress") && workload.is_selected(&selector)
    });
    of_it.flat_map(|policy| list(policy, "/spec/ingress")).any(|rule| {
        let from = list(rule, "/from")
            .iter()
            .any(|peer| pairs(peer, "/podSelector/matchLabels") == BTreeMap::from(PROMETHEUS));
        from && list(rule, "/ports").iter().any(|port| text(port, "/port") == "internal")
    })
}

/// As its program reads it.
fn tells(objects: &Objects, service: &str) -> bool {
    let of_it = |map: &&Value| name_of(map).rsplit_once('-').is_some_and(|(stem, _)| stem == service);
    let settings = objects.of_kind("ConfigMap").filter(of_it).map(|map| text(map, "/data/service.toml"));
    settings.filter_map(|settings| settings.parse::<toml::Table>().ok()).any(|settings| {
        settings.get("telemetry").and_then(|telemetry| telemetry.get("prometheus")) == Some(&toml::Value::Boolean(true))
    })
}

/// The watcher is that and nobody else, and it is none of these pods.
fn certificate(objects: &Objects, trust_domain: &str) -> Complaints {
    let mut complaints = Complaints::new();
    let certificate = objects.named("Certificate", SECRET);
    let good = certificate.is_some_and(|certificate| {
        let one = texts(certificate, "/spec/uris") == [format!("spiffe://{trust_domain}/{WATCHER}")];
        let named = ["dnsNames", "ipAddresses", "commonName"]
            .iter()
            .any(|name| certificate.pointer(&format!("/spec/{name}")).is_some());
        let of = (text(certificate, "/spec/secretName"), text(certificate, "/spec/issuerRef/name"));
        one && !named && of == (SECRET, "internal")
    });
    if !good {
        complaints.push(format!("Certificate {SECRET} is not that of the {WATCHER} alone, of the internal authority"));
    }
    for workload in objects.workloads() {
        if list(workload.spec, "/volumes").iter().any(|volume| text(volume, "/secret/secretName") == SECRET) {
            complaints.push(format!("{}: it could be the {WATCHER}", workload.name));
        }
    }
    complaints
}

/// Each alert of the file is rendered, with its own expression.
fn called(objects: &Objects, files: &[Source]) -> Complaints {
    let rules: Vec<&Value> = objects
        .of_kind("PrometheusRule")
        .flat_map(|object| list(object, "/spec/groups"))
        .flat_map(|group| list(group, "/rules"))
        .collect();
    let lines: Vec<&str> = alerts(files).into_iter().flat_map(str::lines).map(str::trim).collect();
    let expected: Vec<(&str, &str)> = lines
        .iter()
        .zip(lines.iter().skip(1))
        .filter_map(|(name, next)| Some((name.strip_prefix("- alert: ")?, next.strip_prefix("expr: ")?)))
        .collect();
    let mut complaints = Complaints::new();
    if expected.is_empty() || expected.len() != rules.len() {
        complaints.push(format!("{} alerts are rendered, of {} in {ALERTS}", rules.len(), expected.len()));
    }
    let there = |name: &str, expression: &str| {
        rules.iter().any(|rule| text(rule, "/alert") == name && text(rule, "/expr") == expression)
    };
    let missing = expected.iter().filter(|(name, expression)| !there(name, expression));
    complaints.extend(missing.map(|(name, _)| format!("the alert {name} is not rendered as it stands in {ALERTS}")));
    complaints
}

/// Each dashboard is one that Grafana finds.
fn shown(objects: &Objects, files: &[Source]) -> Complaints {
    let found = |name: &str, board: &str| {
        let mut maps =
            objects.of_kind("ConfigMap").filter(|map| text(map, "/metadata/labels/grafana_dashboard") == "1");
        maps.any(|map| pairs(map, "/data").get(name) == Some(&board))
    };
    let boards = files.iter().filter_map(|file| Some((file.path.strip_prefix(DASHBOARDS)?, file.text.as_str())));
    let missing = boards.filter(|(name, board)| !found(name, board));
    missing.map(|(name, _)| format!("Grafana does not find the dashboard {name}")).collect()
}

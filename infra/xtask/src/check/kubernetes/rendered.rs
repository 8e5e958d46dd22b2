//! What kustomize makes of a folder, as values; and how to read in them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Deserializer, Value};

use super::super::Complaints;

/// All objects of a rendered folder.
#[derive(Debug, Clone)]
pub(super) struct Objects(pub(super) Vec<Value>);

/// As `kubectl` renders it: of this machine's files alone, whatever cluster it knows. It prints kustomize's result as YAML only, but what it has changed
/// without asking a cluster (`--local`) also as JSON: so every object gets a mark that nobody reads.
pub(super) fn render(kubectl: &Path, folder: &Path) -> Result<Objects> {
    let output = Command::new(kubectl)
        .args(["annotate", "--local", "--output=json", "--kustomize"])
        .arg(folder)
        .arg("checked=true")
        .env("KUBECONFIG", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .with_context(|| kubectl.display().to_string())?;
    ensure!(output.status.success(), "kubectl: {}", String::from_utf8_lossy(&output.stderr).trim());
    let objects: Vec<Value> = Deserializer::from_slice(&output.stdout).into_iter().collect::<Result<_, _>>()?;
    ensure!(!objects.is_empty(), "kubectl renders nothing");
    Ok(Objects(objects))
}

impl Objects {
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| text(object, "/kind") == kind)
    }

    pub(super) fn named<'a>(&'a self, kind: &'a str, name: &str) -> Option<&'a Value> {
        self.of_kind(kind).find(|object| name_of(object) == name)
    }

    /// Whatever makes pods.
    pub(super) fn workloads(&self) -> Vec<Workload<'_>> {
        let kinds = ["Deployment", "Job", "StatefulSet", "DaemonSet", "ReplicaSet", "CronJob", "Pod"];
        self.0.iter().filter(|object| kinds.contains(&text(object, "/kind"))).map(Workload::of).collect()
    }

    /// What is not here has been judged by nobody: it may make pods, open what policies close, or give an account rights.
    pub(super) fn strange(&self) -> Complaints {
        let known = |object: &Value| KNOWN.contains(&(text(object, "/apiVersion"), text(object, "/kind")));
        let strange = self.0.iter().filter(|object| !known(object));
        strange
            .map(|object| format!("{} is a {}, which nobody has judged", name_of(object), text(object, "/kind")))
            .collect()
    }
}

const KNOWN: [(&str, &str); 15] = [
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "Job"),
    ("cert-manager.io/v1", "Certificate"),
    ("cert-manager.io/v1", "Issuer"),
    ("external-secrets.io/v1", "ExternalSecret"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "ConfigMap"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
];

/// What makes pods, and what its pods are.
#[derive(Debug, Clone)]
pub(super) struct Workload<'a> {
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) object: &'a Value,
    /// Of its pods.
    pub(super) labels: BTreeMap<&'a str, &'a str>,
    /// Of its pods.
    pub(super) spec: &'a Value,
}

impl<'a> Workload<'a> {
    fn of(object: &'a Value) -> Self {
        static NOTHING: Value = Value::Null;
        let spec = object.pointer("/spec/template/spec").unwrap_or(&NOTHING); // Default: what it lacks is complained of.
        let labels = pairs(object, "/spec/template/metadata/labels");
        Self { kind: text(object, "/kind"), name: name_of(object), object, labels, spec }
    }

    /// Those that begin before the others, too.
    pub(super) fn containers(&self) -> impl Iterator<Item = &'a Value> {
        list(self.spec, "/initContainers").iter().chain(list(self.spec, "/containers"))
    }

    pub(super) fn component(&self) -> &'a str {
        self.labels.get(COMPONENT).copied().unwrap_or_default() // Default: it has none.
    }

    /// Of the pods' own program.
    pub(super) fn ports(&self) -> Vec<(&'a str, u64)> {
        let ports = list(self.spec, "/containers").iter().flat_map(|container| list(container, "/ports"));
        ports.map(|port| (text(port, "/name"), number(port, "/containerPort"))).collect()
    }

    pub(super) fn is_selected(&self, selector: &BTreeMap<&str, &str>) -> bool {
        !selector.is_empty() && selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }
}

pub(super) const COMPONENT: &str = "app.kubernetes.io/component";

pub(super) fn name_of(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// The text at a JSON pointer; empty, if there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default() // Default: as said.
}

/// The number there; 0, if there is none.
pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default() // Default: as said.
}

/// The list there; empty, if there is none.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of the list there.
pub(super) fn texts<'a>(value: &'a Value, pointer: &str) -> Vec<&'a str> {
    list(value, pointer).iter().filter_map(Value::as_str).collect()
}

/// The texts of the object there, by their keys.
pub(super) fn pairs<'a>(value: &'a Value, pointer: &str) -> BTreeMap<&'a str, &'a str> {
    let object = value.pointer(pointer).and_then(Value::as_object);
    let entries = object.into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

/// The keys of the object there.
pub(super) fn keys<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str())
}

//! What every pod must not be able to do, whoever it is.

use serde_json::{Value, json};

use super::super::Complaints;
use super::rendered::{Objects, Workload, keys, list, text};

/// As in `infra/docker/Dockerfile`.
pub(super) const ACCOUNT: u64 = 10_001;
/// What a pod says of itself beside its containers. A key that is not here has been judged by nobody.
const POD: [&str; 14] = [
    "automountServiceAccountToken",
    "containers",
    "enableServiceLinks",
    "hostAliases",
    "initContainers",
    "restartPolicy",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
    "volumes",
    "priorityClassName",
    "nodeSelector",
    "affinity",
];
const CONTAINER: [&str; 15] = [
    "args",
    "command",
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
    "terminationMessagePolicy",
];
/// Of a secret that is mounted: root's, and for the account's group to read (`crypto::files`).
const SECRET_MODE: u64 = 0o440;

/// How a container's image is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Images {
    ByDigest,
    /// Or by digest.
    ByTag,
    /// By nothing yet: that is an overlay's.
    Any,
}

pub(super) fn all(objects: &Objects, images: Images) -> Complaints {
    let mut complaints = objects.strange();
    for workload in objects.workloads() {
        let name = workload.name;
        let mut found = pod(&workload);
        for one in workload.containers() {
            found.extend(container(one, images));
        }
        found.extend(volumes(&workload));
        complaints.extend(found.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    complaints
}

fn pod(workload: &Workload<'_>) -> Complaints {
    let expected = [
        ("/automountServiceAccountToken", json!(false)),
        ("/enableServiceLinks", json!(false)),
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/runAsUser", json!(ACCOUNT)),
        ("/securityContext/runAsGroup", json!(ACCOUNT)),
        ("/securityContext/seccompProfile", json!({ "type": "RuntimeDefault" })),
    ];
    let mut complaints = lacking(workload.spec, &expected);
    complaints.extend(unknown(workload.spec, "", &POD));
    let context = ["fsGroup", "runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfile"];
    complaints.extend(unknown(workload.spec, "/securityContext", &context));
    complaints
}

fn container(container: &Value, images: Images) -> Complaints {
    let expected = [
        ("/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/securityContext/capabilities", json!({ "drop": ["ALL"] })),
    ];
    let mut complaints = lacking(container, &expected);
    complaints.extend(unknown(container, "", &[&CONTAINER[..], &["volumeMounts"]].concat()));
    let context = ["allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"];
    complaints.extend(unknown(container, "/securityContext", &context));
    for bound in ["requests", "limits"] {
        for resource in ["cpu", "memory"] {
            if text(container, &format!("/resources/{bound}/{resource}")).is_empty() {
                complaints.push(format!("there is no {resource} in its {bound}"));
            }
        }
    }
    let image = text(container, "/image");
    match images {
        Images::ByDigest if !is_by_digest(image) => {
            complaints.push(format!("its image is not named by digest: {image}"));
        }
        Images::ByTag if !image.contains(':') => complaints.push(format!("its image is any: {image}")),
        _ => (),
    }
    let variables =
        list(container, "/env").iter().any(|variable| variable.pointer("/valueFrom/secretKeyRef").is_some());
    if variables || list(container, "/envFrom").iter().any(|source| source.get("secretRef").is_some()) {
        complaints.push("a secret is in its environment, and not in a file".to_owned());
    }
    complaints
}

fn is_by_digest(image: &str) -> bool {
    image.split_once("@sha256:").is_some_and(|(_, digest)| {
        digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

fn volumes(workload: &Workload<'_>) -> Complaints {
    let mut complaints = Complaints::new();
    for volume in list(workload.spec, "/volumes") {
        let name = text(volume, "/name");
        let sort: Vec<&str> = keys(volume, "").filter(|key| *key != "name").collect();
        match sort.as_slice() {
            ["secret"] => {
                let mode = volume.pointer("/secret/defaultMode").and_then(Value::as_u64);
                let group = workload.spec.pointer("/securityContext/fsGroup").and_then(Value::as_u64);
                if mode != Some(SECRET_MODE) || group != Some(ACCOUNT) {
                    complaints.push(format!("its volume {name} is not for its group alone to read"));
                }
            }
            ["configMap" | "emptyDir" | "persistentVolumeClaim"] => (),
            _ => complaints.push(format!("its volume {name} is {sort:?}, which nobody has judged")),
        }
    }
    complaints
}

fn lacking(value: &Value, expected: &[(&str, Value)]) -> Complaints {
    let wrong = expected.iter().filter(|(pointer, wanted)| value.pointer(pointer) != Some(wanted));
    wrong.map(|(pointer, wanted)| format!("{} is not {wanted}", pointer.trim_start_matches('/'))).collect()
}

fn unknown(value: &Value, pointer: &str, known: &[&str]) -> Complaints {
    let unknown = keys(value, pointer).filter(|key| !known.contains(key));
    unknown.map(|key| format!("it has `{key}`, which nobody has judged (check/kubernetes/pods.rs)")).collect()
}

//! That each service of `infra/system.toml` is there as it should be: its listeners, its name, its files, its probes, its end, and how many there are.

use std::collections::BTreeSet;

use serde_json::Value;
use system::{Service, System};

use super::super::Complaints;
use super::policies::EDGE;
use super::rendered::{Objects, Workload, list, name_of, number, pairs, text, texts};

/// What stands in the services' code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    /// Seconds that the end of a process may take.
    pub(super) end: u64,
    /// Of SPIFFE ids.
    pub(super) trust_domain: String,
}

/// What the check of one rendered folder goes by.
pub(super) struct Expectation<'a> {
    pub(super) system: &'a System,
    /// Whether it is for production: more than one of each, images by digest, files from Secrets.
    pub(super) production: bool,
    /// What the code says that the files have to agree with.
    pub(super) code: Code,
}

pub(super) fn all(objects: &Objects, expectation: &Expectation<'_>) -> Complaints {
    let mut complaints = namespace(objects);
    let workloads = objects.workloads();
    let served: Vec<&Workload<'_>> = workloads.iter().filter(|workload| workload.component() == "service").collect();
    let known = |name: &str| expectation.system.services.iter().any(|service| service.name == name);
    complaints.extend(
        served.iter().filter(|one| !known(one.name)).map(|one| format!("{} is not in infra/system.toml", one.name)),
    );
    for service in &expectation.system.services {
        match served.iter().find(|workload| workload.name == service.name && workload.kind == "Deployment") {
            Some(workload) => {
                let mut found = listeners(objects, workload, service);
                found.extend(identity(objects, workload));
                found.extend(files(workload, &service.name, expectation.production));
                found.extend(probes(workload));
                found.extend(life(workload, expectation.code.end));
                found.extend(number_of(objects, workload, expectation.production));
                complaints.extend(found.into_iter().map(|complaint| format!("{}: {complaint}", service.name)));
            }
            None => complaints.push(format!("there is no Deployment {}", service.name)),
        }
        if expectation.production {
            complaints.extend(migration(&workloads, &service.name));
            complaints.extend(certificate(objects, service, &expectation.code.trust_domain));
        }
    }
    complaints.extend(beside(objects, &workloads, expectation.production));
    complaints
}

/// What every Deployment has, be it a service or not; and nothing but the edge is reached from outside the cluster.
fn beside(objects: &Objects, workloads: &[Workload<'_>], production: bool) -> Complaints {
    let mut complaints = Complaints::new();
    for workload in
        workloads.iter().filter(|workload| workload.kind == "Deployment" && workload.component() != "service")
    {
        let containers = list(workload.spec, "/containers");
        let missing = ["startupProbe", "readinessProbe", "livenessProbe"].into_iter();
        let missing = missing.filter(|probe| containers.iter().any(|container| container.get(*probe).is_none()));
        complaints.extend(missing.map(|probe| format!("{}: it has no {probe}", workload.name)));
        if production {
            let found = number_of(objects, workload, production).into_iter();
            complaints.extend(found.map(|complaint| format!("{}: {complaint}", workload.name)));
        }
    }
    for service in
        objects.of_kind("Service").filter(|service| !["", "ClusterIP"].contains(&text(service, "/spec/type")))
    {
        let selector = pairs(service, "/spec/selector");
        let selected: Vec<&str> =
            workloads.iter().filter(|workload| workload.is_selected(&selector)).map(|workload| workload.name).collect();
        if selected != [EDGE] {
            complaints.push(format!("Service {} lets the world in to {selected:?}", name_of(service)));
        }
    }
    complaints
}

/// Inside it is whom its one URI names, and has that name for who compares names only; before the world it is somebody else, of another authority.
fn certificate(objects: &Objects, service: &Service, trust_domain: &str) -> Complaints {
    let mut complaints = Complaints::new();
    let own = format!("{}-internal", service.name);
    let certificate = objects.named("Certificate", &own);
    let good = certificate.is_some_and(|certificate| {
        let one = texts(certificate, "/spec/uris") == [format!("spiffe://{trust_domain}/{}", service.name)];
        let named = texts(certificate, "/spec/dnsNames") == [service.name.as_str()]
            && ["ipAddresses", "commonName"].iter().all(|name| certificate.pointer(&format!("/spec/{name}")).is_none());
        let of = (text(certificate, "/spec/secretName"), text(certificate, "/spec/issuerRef/name"));
        one && named && of == (own.as_str(), "internal")
    });
    if !good {
        complaints.push(format!("Certificate {own} is not that of {} alone, of the internal authority", service.name));
    }
    let public = format!("{}-public", service.name);
    let public = objects.named("Certificate", &public).filter(|_| service.public.is_some());
    if public.is_some_and(|public| text(public, "/spec/issuerRef/name") == "internal") {
        complaints.push(format!("{}-public is of the internal authority", service.name));
    }
    complaints
}

/// One, in which no pod may be more than restricted; and nothing is outside of it.
fn namespace(objects: &Objects) -> Complaints {
    let namespaces: Vec<&Value> = objects.of_kind("Namespace").collect();
    let [namespace] = namespaces.as_slice() else {
        return vec![format!("there are {} namespaces", namespaces.len())];
    };
    let mut complaints = Complaints::new();
    let labels = pairs(namespace, "/metadata/labels");
    if labels.get("pod-security.kubernetes.io/enforce") != Some(&"restricted") {
        complaints.push("the namespace does not enforce `restricted`".to_owned());
    }
    let outside = objects.0.iter().filter(|object| text(object, "/kind") != "Namespace");
    let outside = outside.filter(|object| text(object, "/metadata/namespace") != name_of(namespace));
    complaints.extend(
        outside.map(|object| format!("{} {} is outside the namespace", text(object, "/kind"), name_of(object))),
    );
    complaints
}

fn listeners(objects: &Objects, workload: &Workload<'_>, service: &Service) -> Complaints {
    let mut wanted: BTreeSet<(&str, u64)> = BTreeSet::from([("internal", service.internal.into())]);
    wanted.extend(service.public.map(|public| ("public", public.port.into())));
    let mut complaints = Complaints::new();
    let have: BTreeSet<(&str, u64)> = workload.ports().into_iter().collect();
    if have != wanted {
        complaints.push(format!("it listens at {have:?}, by infra/system.toml at {wanted:?}"));
    }
    let Some(reached) = objects.named("Service", &service.name) else {
        complaints.push("there is no Service of its name".to_owned());
        return complaints;
    };
    let ports = list(reached, "/spec/ports");
    let have: BTreeSet<(&str, u64)> =
        ports.iter().map(|port| (text(port, "/targetPort"), number(port, "/port"))).collect();
    let closed = ["", "ClusterIP"].contains(&text(reached, "/spec/type"));
    if have != wanted || !closed || !workload.is_selected(&pairs(reached, "/spec/selector")) {
        complaints.push(format!("its Service is not that of its listeners, inside the cluster: {}", reached["spec"]));
    }
    complaints
}

/// An account of its own without a token; and its own name is itself.
fn identity(objects: &Objects, workload: &Workload<'_>) -> Complaints {
    let mut complaints = Complaints::new();
    let account = objects.named("ServiceAccount", workload.name);
    let without = account.and_then(|account| account.get("automountServiceAccountToken")) == Some(&false.into());
    if text(workload.spec, "/serviceAccountName") != workload.name || !without {
        complaints.push("it has no account of its own without a token".to_owned());
    }
    let aliases = list(workload.spec, "/hostAliases").iter();
    let itself = aliases.filter(|alias| text(alias, "/ip") == "127.0.0.1").flat_map(|alias| texts(alias, "/hostnames"));
    if itself.collect::<Vec<_>>() != [workload.name] {
        complaints.push("its own name is not itself, so its health check asks another".to_owned());
    }
    complaints
}

/// Those that its settings name, and nobody else's.
fn files(workload: &Workload<'_>, service: &str, production: bool) -> Complaints {
    let mut own = vec![service.to_owned()];
    if production {
        own.extend(["internal", "public", "floor"].map(|part| format!("{service}-{part}")));
    }
    if service == "attestation" {
        own.push("android-revocation".to_owned());
    }
    let mut complaints = Complaints::new();
    for volume in list(workload.spec, "/volumes") {
        let of = [text(volume, "/secret/secretName"), text(volume, "/persistentVolumeClaim/claimName")];
        for name in of.into_iter().filter(|name| !name.is_empty()) {
            if !own.iter().any(|own| own == name) {
                complaints.push(format!("it has the files of {name}"));
            }
        }
    }
    let mounts = workload.containers().flat_map(|container| list(container, "/volumeMounts"));
    let written = mounts.filter(|mount| text(mount, "/name") != "tmp" && mount.get("readOnly") != Some(&true.into()));
    complaints.extend(written.map(|mount| format!("it can write to its volume {}", text(mount, "/name"))));
    complaints
}

/// As the program offers: it listens, and it is ready. What is not ready is not begun anew because of that.
fn probes(workload: &Workload<'_>) -> Complaints {
    let Some(container) = list(workload.spec, "/containers").first() else {
        return vec!["it has no container".to_owned()];
    };
    let mut complaints = Complaints::new();
    let mut wants = |good: bool, what: &str| complaints.extend((!good).then(|| what.to_owned()));
    let listens = |probe: &str| text(container, &format!("/{probe}/tcpSocket/port")) == "internal";
    wants(listens("startupProbe"), "its startup is not that it listens");
    wants(listens("livenessProbe"), "its life is not that it listens");
    let asks = texts(container, "/readinessProbe/exec/command") == ["/usr/local/bin/service", "healthcheck"];
    wants(asks, "its readiness is not its own word");
    // The program gives up by itself before that.
    wants(number(container, "/readinessProbe/timeoutSeconds") >= 5, "its readiness has no time to answer");
    complaints
}

/// It ends in order, and never all at once.
fn life(workload: &Workload<'_>, end: u64) -> Complaints {
    let mut complaints = Complaints::new();
    let pause = list(workload.spec, "/containers").first();
    let pause = pause.map_or(0, |container| number(container, "/lifecycle/preStop/sleep/seconds"));
    let given = number(workload.spec, "/terminationGracePeriodSeconds");
    if pause == 0 || given < pause + end {
        complaints.push(format!("it has {given} s to end, and needs {pause} s until nothing new comes and {end} s"));
    }
    if list(workload.spec, "/topologySpreadConstraints").is_empty() {
        complaints.push("all of it may be on one node".to_owned());
    }
    let strategy = "/spec/strategy/rollingUpdate/maxUnavailable";
    if workload.object.pointer(strategy) != Some(&0.into()) {
        complaints.push("an old process ends before a new one serves".to_owned());
    }
    complaints
}

fn number_of(objects: &Objects, workload: &Workload<'_>, production: bool) -> Complaints {
    let mut complaints = Complaints::new();
    let mut budgets = objects.of_kind("PodDisruptionBudget");
    let budget = budgets.find(|budget| workload.is_selected(&pairs(budget, "/spec/selector/matchLabels")));
    if budget.is_none_or(|budget| budget.pointer("/spec/maxUnavailable") != Some(&1.into())) {
        complaints.push("no PodDisruptionBudget keeps all but one of it".to_owned());
    }
    let mut scalers = objects.of_kind("HorizontalPodAutoscaler");
    let scaler = scalers.find(|scaler| {
        text(scaler, "/spec/scaleTargetRef/kind") == workload.kind
            && text(scaler, "/spec/scaleTargetRef/name") == workload.name
    });
    let more = scaler.is_some_and(|scaler| {
        let least = number(scaler, "/spec/minReplicas");
        least >= 2 && number(scaler, "/spec/maxReplicas") > least
    });
    if production && !more {
        complaints.push("no HorizontalPodAutoscaler keeps two of it, or makes more".to_owned());
    }
    if scaler.is_some() && workload.object.pointer("/spec/replicas").is_some() {
        complaints.push("its number is said twice: every roll-out would undo what its scaler has done".to_owned());
    }
    complaints
}

/// The role that owns the tables is known to this Job, and to no other pod; and it knows nothing else.
fn migration(workloads: &[Workload<'_>], service: &str) -> Complaints {
    let secret = format!("{service}-migrator");
    let secrets = |workload: &Workload<'_>| -> Vec<String> {
        list(workload.spec, "/volumes").iter().map(|volume| text(volume, "/secret/secretName").to_owned()).collect()
    };
    let mut complaints = Complaints::new();
    let job = format!("{service}-migrate");
    match workloads.iter().find(|workload| workload.name == job && workload.kind == "Job") {
        Some(workload) => {
            let containers: Vec<&Value> = workload.containers().collect();
            let migrates = matches!(containers.as_slice(), [one] if texts(one, "/args") == ["migrate"]);
            let variable = format!("{}__DATABASE__MIGRATOR_URL_FILE", service.to_uppercase());
            let told = containers.iter().flat_map(|container| list(container, "/env"));
            let told = told.into_iter().any(|variable_| text(variable_, "/name") == variable);
            let own: Vec<String> = secrets(workload).into_iter().filter(|name| !name.is_empty()).collect();
            if !migrates || !told || own != [secret.clone()] {
                complaints.push(format!("{job}: it is not `migrate` with {secret} and nothing else"));
            }
        }
        None => complaints.push(format!("there is no Job {job}")),
    }
    let others = workloads.iter().filter(|workload| workload.name != job && secrets(workload).contains(&secret));
    complaints.extend(others.map(|workload| format!("{}: it knows the owner of {service}'s tables", workload.name)));
    complaints
}

/// Each Secret, `ConfigMap` and claim that a pod mounts or takes its environment from, by kind and name.
pub(super) fn mounted<'a>(workload: &Workload<'a>) -> Vec<(&'static str, &'a str)> {
    let sorts = [
        ("Secret", "/secret/secretName"),
        ("ConfigMap", "/configMap/name"),
        ("PersistentVolumeClaim", "/persistentVolumeClaim/claimName"),
    ];
    let volumes = list(workload.spec, "/volumes").iter();
    let mut found: Vec<(&str, &str)> =
        volumes.flat_map(|volume| sorts.map(|(kind, pointer)| (kind, text(volume, pointer)))).collect();
    let containers = list(workload.spec, "/containers").iter().chain(list(workload.spec, "/initContainers"));
    let taken = containers.flat_map(|container| list(container, "/envFrom"));
    found.extend(taken.map(|source| ("ConfigMap", text(source, "/configMapRef/name"))));
    found.retain(|(_, name)| !name.is_empty());
    found
}

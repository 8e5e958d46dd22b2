//! What the services of a cluster are told: that they listen where their pods say, call whom `infra/system.toml` says, and find every file that they are told of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::Value;
use system::{Service, System};

use super::super::Complaints;
use super::rendered::{Objects, Workload, list, pairs, text};

/// Of the image, or of this process.
const ELSEWHERE: &str = "/usr/share/";

/// One service's file and environment, as its pod has them.
pub(super) struct Settings<'a> {
    file: &'a str,
    environment: BTreeMap<&'a str, &'a str>,
}

impl<'a> Settings<'a> {
    /// None, if nothing rendered has them.
    fn of(objects: &'a Objects, workload: &Workload<'a>) -> Option<Self> {
        let map = |name: &str| objects.named("ConfigMap", name);
        let volumes = list(workload.spec, "/volumes").iter();
        let mut files = volumes.filter_map(|volume| map(text(volume, "/configMap/name")));
        let file = files.find_map(|map| map.pointer("/data/service.toml")).and_then(Value::as_str)?;
        let container = list(workload.spec, "/containers").first()?;
        let mut environment = BTreeMap::new();
        for source in list(container, "/envFrom") {
            environment.extend(pairs(map(text(source, "/configMapRef/name"))?, "/data"));
        }
        environment.extend(list(container, "/env").iter().map(|one| (text(one, "/name"), text(one, "/value"))));
        Some(Self { file, environment })
    }

    /// Every text in quotes, and every value of the environment that is one text.
    fn words(&self) -> Vec<&'a str> {
        let lines = self.file.lines().filter(|line| !line.trim_start().starts_with('#'));
        let values = self.environment.values().copied();
        lines.chain(values.clone()).flat_map(|line| line.split('"').skip(1).step_by(2)).chain(values).collect()
    }
}

pub(super) fn all(objects: &Objects, system: &System) -> Complaints {
    let mut complaints = Complaints::new();
    for workload in objects.workloads().iter().filter(|workload| workload.component() == "service") {
        let Some(service) = system.services.iter().find(|service| service.name == workload.name) else { continue };
        let found = match Settings::of(objects, workload) {
            Some(settings) => {
                [calls(&settings, service, system), files(&settings, workload), listens(&settings, service)].concat()
            }
            None => vec!["its settings are not there".to_owned()],
        };
        complaints.extend(found.into_iter().map(|complaint| format!("{}: {complaint}", service.name)));
    }
    complaints.extend(issuer(objects));
    complaints
}

/// Every URL of a listener of ours is one that the table lets it call, or its own.
fn calls(settings: &Settings<'_>, service: &Service, system: &System) -> Complaints {
    let mut complaints = Complaints::new();
    for (host, port) in settings.words().into_iter().filter_map(|word| word.strip_prefix("https://")?.split_once(':')) {
        let Some(called) = system.services.iter().find(|other| other.name == host) else { continue };
        let may = called.name == service.name || service.calls.contains(&called.name);
        if !may || port != called.internal.to_string() {
            complaints
                .push(format!("it is told to call {host}:{port}, by infra/system.toml it calls {:?}", service.calls));
        }
    }
    complaints
}

/// Every file that it is told of is mounted. What is in a Secret, its maker says.
fn files(settings: &Settings<'_>, workload: &Workload<'_>) -> Complaints {
    let mounts: Vec<&str> = workload
        .containers()
        .flat_map(|container| list(container, "/volumeMounts"))
        .map(|mount| text(mount, "/mountPath"))
        .collect();
    let is_there = |path: &str| mounts.iter().any(|mount| Path::new(path).parent() == Some(Path::new(mount)));
    let words = settings.words();
    let missing =
        words.into_iter().filter(|word| word.starts_with('/') && !word.starts_with(ELSEWHERE) && !is_there(word));
    missing.map(|path| format!("it is told of {path}, and there is no such volume")).collect()
}

fn listens(settings: &Settings<'_>, service: &Service) -> Complaints {
    let ports = service.public.map(|public| public.port).into_iter().chain([service.internal]);
    let missing = ports.filter(|port| !settings.file.contains(&format!("\nlisten = \"0.0.0.0:{port}\"\n")));
    missing.map(|port| format!("it is not told to listen at {port}")).collect()
}

/// The tokens that the ledger takes are those of this `auth`.
fn issuer(objects: &Objects) -> Option<String> {
    let value = |name: &str| objects.of_kind("ConfigMap").find_map(|map| pairs(map, "/data").get(name).copied());
    let (issuer, url) = (value("LEDGER__ISSUER")?, value("AUTH__PUBLIC__URL"));
    (url != Some(issuer)).then(|| format!("ledger: it takes the tokens of {issuer}, and auth is {url:?}"))
}

/// The services' own word on their settings: `NAME config` reads them, and knows every key.
pub(super) fn read_back(objects: &Objects, program: impl Fn(&str) -> Result<PathBuf>) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    let folder = std::env::temp_dir().join(format!("redoubt-settings-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for workload in objects.workloads() {
        let Some(settings) = Settings::of(objects, &workload) else { continue };
        let file = folder.join("service.toml");
        std::fs::write(&file, settings.file)?;
        let name = workload.name.trim_end_matches("-migrate");
        let mut command = Command::new(program(name)?);
        command.arg("config").arg("--config").arg(&file).env_clear().envs(&settings.environment).stdin(Stdio::null());
        let output = command.output()?;
        if !output.status.success() {
            complaints.push(format!("{}: {}", workload.name, String::from_utf8_lossy(&output.stderr).trim()));
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(complaints)
}

//! Docker and its Compose plugin: whether they are there and new enough, and a project's commands.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use system::system;

use crate::stop::Stop;
use crate::{place, preflight, say};

/// Health checks, internal networks and what else compose.yaml asks of the engine.
const ENGINE: (u32, u32) = (20, 10);
/// `!reset` in an override, and `up --wait` that takes a container which ends well as one that is done.
const COMPOSE: (u32, u32) = (2, 25);

/// What the images take where Docker keeps them: built with the Dockerfile, whose stage `build` is most of it, or of what was built on this machine.
const BUILT_GB: u64 = 8;
const OFFLINE_GB: u64 = 3;

/// What infra/docker/offline-bases.sh makes.
const BASES: [&str; 3] = ["redoubt/debian:offline", "redoubt/redis:offline", "redoubt/postgres:offline"];

/// One project of Docker Compose.
pub(crate) struct Engine {
    pub(crate) project: String,
    /// Whether its images were built without pulling any.
    pub(crate) offline: bool,
    /// What goes before `infra/compose/.env`.
    pub(crate) environment: Vec<(String, String)>,
}

impl Engine {
    /// Docker answers, and both parts are new enough.
    pub(crate) fn check() -> Result<()> {
        let docker = docker()?;
        let compose = said(Command::new(&docker).args(["compose", "version", "--short"])).map_err(|words| {
            stop(&format!("Docker has no Compose plugin ({words}): install docker-compose-plugin, then run this again"))
        })?;
        new_enough("Docker Compose", &compose, COMPOSE)
    }

    /// Before minutes are spent: Docker's disk has room, as far as it is one of this machine.
    pub(crate) fn room(&self) -> Result<()> {
        let root = said(Command::new("docker").args(["info", "--format", "{{.DockerRootDir}}"]));
        let root = root.map_err(|words| anyhow!("docker info: {words}"))?;
        room(&root, preflight::free_megabytes(Path::new(&root)), if self.offline { OFFLINE_GB } else { BUILT_GB })
    }

    /// The program and the words before a command.
    pub(crate) fn words(&self) -> Vec<String> {
        let folder = place::root().join("infra/compose");
        let file = |name: &str| folder.join(name).display().to_string();
        let mut words = vec!["compose".to_owned(), "--project-name".to_owned(), self.project.clone()];
        words.extend(["--profile".to_owned(), "workbench".to_owned(), "--file".to_owned(), file("compose.yaml")]);
        if self.offline {
            words.extend(["--file".to_owned(), file("offline.yaml")]);
        }
        words
    }

    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(self.words()).args(arguments).envs(self.environment()).stdin(Stdio::null());
        command
    }

    /// A command on our terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<bool> {
        Ok(self.command(arguments).status().context("docker")?.success())
    }

    /// What a command prints.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        said(&mut self.command(arguments)).map_err(|words| anyhow!("`docker compose {}`: {words}", arguments.join(" ")))
    }

    /// By which port of this machine each listener is reached.
    pub(crate) fn published(&self) -> Result<BTreeMap<String, u16>> {
        published(&serde_json::from_str(&self.ask(&["config", "--format", "json"])?)?)
    }

    pub(crate) fn is_running(&self) -> Result<bool> {
        Ok(!self.ask(&["ps", "--quiet"])?.is_empty())
    }

    /// Whether nothing is stored yet.
    pub(crate) fn is_fresh(&self) -> Result<bool> {
        let filter = format!("name=^{}_keys$", self.project);
        let found = said(Command::new("docker").args(["volume", "ls", "--quiet", "--filter", &filter]));
        Ok(found.map_err(|words| anyhow!("docker volume ls: {words}"))?.is_empty())
    }

    /// The last words of each container that is not as it should be.
    pub(crate) fn complaint(&self) -> Result<String> {
        let mut words = String::new();
        for line in self.ask(&["ps", "--all", "--format", "json"])?.lines() {
            let container: Value = serde_json::from_str(line)?;
            let is = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
            let well =
                is("Health") == "healthy" || (is("State") == "exited" && container.get("ExitCode") == Some(&0.into()));
            if !well && is("State") != "created" {
                let logs = self.ask(&["logs", "--no-log-prefix", "--no-color", "--tail", "1", is("Service")])?;
                words.extend(["\n", is("Service"), ": ", is("Status"), ": ", logs.trim()]);
            }
        }
        Ok(words)
    }

    /// The id of a service's container, which need not run.
    pub(crate) fn container(&self, service: &str) -> Result<String> {
        self.ask(&["ps", "--all", "--quiet", service])
    }

    /// Takes a file or folder out of a container, which need not run.
    pub(crate) fn take(&self, service: &str, from: &str, to: &Path) -> Result<()> {
        let from = format!("{}:{from}", self.container(service)?);
        let copied = said(Command::new("docker").args(["cp", "--quiet", &from]).arg(to));
        copied.map(drop).map_err(|words| anyhow!("docker cp {from}: {words}"))
    }

    /// What this machine keeps of the project.
    pub(crate) fn folder(&self) -> PathBuf {
        place::target().join("dev/compose").join(&self.project)
    }
}

/// The program, once its engine has answered and is new enough.
pub(crate) fn docker() -> Result<PathBuf> {
    let docker = ladder::shell::which("docker").ok_or_else(|| {
        stop("Docker is not here: install its engine and Compose plugin (https://docs.docker.com/engine/install/), then run this again")
    })?;
    let engine = said(Command::new(&docker).args(["version", "--format", "{{.Server.Version}}"]));
    let engine = engine
        .map_err(|words| stop(&format!("Docker does not answer ({words}): start its daemon, then run this again")))?;
    new_enough("Docker", &engine, ENGINE)?;
    Ok(docker)
}

/// An image that is not here is pulled; `variable` names another.
pub(crate) fn provide(docker: &Path, image: &str, variable: &str) -> Result<()> {
    let ask = |arguments: &[&str]| said(Command::new(docker).args(arguments).arg(image));
    if ask(&["image", "inspect", "--format", "{{.Id}}"]).is_ok() {
        return Ok(());
    }
    say::line(&format!("pulling the image {image} (once)"));
    ask(&["pull", "--quiet"]).map(drop).map_err(|words| {
        stop(&format!(
            "the image {image} is not here and cannot be pulled ({words}): `sudo infra/docker/offline-bases.sh` builds some out of Debian's packages, \
             and {variable} names the one to take"
        ))
    })
}

fn room(root: &str, free: Option<u64>, needed_gb: u64) -> Result<()> {
    match free {
        Some(free) if free < needed_gb * 1024 => bail!(stop(&format!(
            "the disk where Docker keeps its images ({root}) has {free} MB free, those of the system need about {needed_gb} GB: `docker system prune` \
             removes what nothing uses; then run this again"
        ))),
        _ => Ok(()),
    }
}

/// An occupied port is named before anything is started.
pub(crate) fn free(ports: &BTreeMap<String, u16>) -> Result<()> {
    for (name, port) in ports {
        if let Err(cause) = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)) {
            let variable = variable(name);
            return Err(stop(&format!(
                "port {port} ({name}) is taken ({cause}): `ss -ltnp 'sport = :{port}'` names the program; end it, or set {variable} to another port"
            )));
        }
    }
    Ok(())
}

/// What sets a listener's port in `infra/compose/.env`.
pub(crate) fn variable(listener: &str) -> String {
    format!("{}_PORT", listener.to_uppercase().replace('-', "_"))
}

/// Out of the whole configuration: the published port for each port of a container that is a listener's in `infra/system.toml`.
fn published(config: &Value) -> Result<BTreeMap<String, u16>> {
    let services = config.get("services").and_then(Value::as_object).context("the configuration has no services")?;
    let ports = services.values().filter_map(|service| service.get("ports")?.as_array()).flatten();
    let mut found = BTreeMap::new();
    for port in ports {
        let target = port.get("target").and_then(Value::as_u64).context("a port without a target")?;
        let outside = port.get("published").and_then(Value::as_str).context("a port that is not fixed")?;
        let listener = system()?.listeners().into_iter().find(|(_, inside)| u64::from(*inside) == target);
        let (name, _) = listener.with_context(|| format!("port {target} is no listener in infra/system.toml"))?;
        found.insert(name, outside.parse().with_context(|| format!("{outside} is not a port"))?);
    }
    Ok(found)
}

fn new_enough(what: &str, version: &str, least: (u32, u32)) -> Result<()> {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']).map_while(|word| word.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= least => Ok(()),
        _ => bail!(stop(&format!(
            "{what} {version} is too old: {}.{} is needed; update it, then run this again",
            least.0, least.1
        ))),
    }
}

fn stop(words: &str) -> anyhow::Error {
    Stop::Failed(1, words.to_owned()).into()
}

/// What a command prints, or its last words.
pub(super) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|cause| cause.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let words = text(&output.stderr);
    Err(words.lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
}

/// Before anything is compiled: what infra/docker/offline-images.sh needs. Images of other people that are there already need no root.
pub(crate) fn makes_images() -> Result<()> {
    if let Some(tool) = ["debootstrap", "strip"].into_iter().find(|tool| ladder::shell::which(tool).is_none()) {
        return Err(stop(&format!(
            "{tool} is not here: `--offline` makes images on Debian, apt-get install debootstrap binutils"
        )));
    }
    let mut bases = BASES.into_iter();
    let missing =
        bases.find(|base| said(Command::new("docker").args(["image", "inspect", "--format", "-", base])).is_err());
    match missing {
        Some(base) if !rustix::process::geteuid().is_root() => {
            Err(stop(&format!("{base} is not there: only root makes it, sudo infra/docker/offline-bases.sh")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_old_engine_or_plugin_is_named_with_what_is_needed() {
        new_enough("Docker", "20.10.24+dfsg1", ENGINE).unwrap();
        new_enough("Docker Compose", "v2.40.3-desktop.1", COMPOSE).unwrap();
        for version in ["2.24.7", "1.29.2", "dev"] {
            let text = new_enough("Docker Compose", version, COMPOSE).unwrap_err().to_string();
            assert!(text.contains(&format!("Docker Compose {version} is too old: 2.25 is needed")), "{text}");
        }
    }

    #[test]
    fn a_small_disk_is_refused_before_the_images_are_built() {
        let text = room("/var/lib/docker", Some(900), OFFLINE_GB).unwrap_err().to_string();
        assert!(text.contains("/var/lib/docker") && text.contains("900 MB") && text.contains("system prune"), "{text}");
        room("/var/lib/docker", Some(OFFLINE_GB * 1024), OFFLINE_GB).unwrap();
        assert!(room("/", Some(OFFLINE_GB * 1024), BUILT_GB).is_err());
        // Where Docker runs in a machine of its own, this one's disks say nothing.
        room("/var/lib/docker", None, BUILT_GB).unwrap();
    }

    #[test]
    fn a_taken_port_is_named_with_what_sets_another() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let ports = BTreeMap::from([("auth-internal".to_owned(), port)]);
        let text = free(&ports).unwrap_err().to_string();
        assert!(
            text.contains(&format!("port {port} (auth-internal) is taken")) && text.contains("AUTH_INTERNAL_PORT"),
            "{text}"
        );
        drop(held);
        free(&ports).unwrap();
    }

    #[test]
    fn a_published_port_belongs_to_the_listener_of_its_container() {
        let config = |target: u16| json!({ "services": { "redis": {}, "gate": { "ports": [{ "target": target, "published": "17003" }] } } });
        assert_eq!(published(&config(7003)).unwrap(), BTreeMap::from([("ledger".to_owned(), 17003)]));
        assert!(published(&config(80)).unwrap_err().to_string().contains("80 is no listener"));
    }
}

//! The whole system on this machine: PostgreSQL, PKI, partner, collector and the services, each a process of its own.

pub(crate) mod config;
mod partners;
mod ports;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ladder::{Cluster, Durability, Rung};
use serde_json::{Value, json};

use crate::compile::Programs;
use crate::options::Options;
use crate::process::{Run, Task};
use crate::stop::Stop;
use crate::{compile, database, interrupt, place};

pub(crate) use ports::{LISTENERS, Ports};

/// In the order in which they are named to people; they start at once.
pub(crate) const SERVICES: [&str; 4] = ["auth", "attestation", "ledger", "broker"];

/// How long a system may take to become ready.
const READY_LIMIT: Duration = Duration::from_mins(1);

/// Which system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Free ports, a PKI of its own, everything gone at the end.
    Demo,
    /// Fixed ports, a PKI that stays, so that whoever trusts it need not do so again.
    Up,
    /// As a demonstration, built for release and with a thread for each core.
    Bench,
}

impl Kind {
    fn workers(self) -> usize {
        match self {
            Self::Demo | Self::Up => 1,
            Self::Bench => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    /// What is built and how: the services, `sandbox` and `story`.
    fn build(self, run: &mut Run) -> Result<Programs> {
        const RELEASE: [&str; 3] = ["--release", "--example", "bench"];
        match self {
            Self::Demo | Self::Up => compile::build(run, "the services and their stand-ins", &PROGRAMS),
            Self::Bench => {
                let arguments = [&PROGRAMS[..], &RELEASE].concat();
                compile::build(run, "the services and their stand-ins for release", &arguments)
            }
        }
    }
}

/// A running system.
pub(crate) struct Stack {
    pub(crate) programs: Programs,
    /// Before the cluster: the programs end first.
    run: Run,
    cluster: Cluster,
    ports: Ports,
    pki: PathBuf,
    kind: Kind,
    startup: Vec<(String, Duration)>,
}

impl Stack {
    /// Builds, brings and starts everything, and waits until it is ready.
    pub(crate) fn start(kind: Kind, options: &Options) -> Result<Self> {
        let ports = if kind == Kind::Up { Ports::fixed()? } else { Ports::free()? };
        let mut watch = Watch::begin();
        let development = place::target().join("dev");
        let mut run = Run::of("run")?;
        let programs = kind.build(&mut run)?;
        watch.step("built");
        let pki = if kind == Kind::Up { development.join("pki") } else { run.directory().join("pki") };
        let cluster = database::bring(options, Durability::Durable)?;
        watch.step("PostgreSQL ready");
        let mut stack = Self { programs, run, cluster, ports, pki, kind, startup: Vec::new() };
        let outcome = stack.fill(&mut watch);
        stack.startup = watch.steps;
        if let Err(error) = outcome {
            return Err(stack.keep_logs(error));
        }
        Ok(stack)
    }

    fn fill(&mut self, watch: &mut Watch) -> Result<()> {
        self.task("pki", "sandbox", &["pki", "--out", &text(&self.pki)])?;
        let databases = self.run.directory().join("databases");
        // By the environment: a command line can be read by everybody on the machine.
        let url = self.cluster.url().to_owned();
        let arguments = ["provision", "--out", &text(&databases), "--services", &SERVICES.join(",")].map(str::to_owned);
        let task = Task { logged: true, environment: &[("REDOUBT_SUPERUSER_URL", &url)], ..Task::default() };
        self.run.task("provision", self.programs.path("sandbox")?, &arguments, &task)?;
        let workers = self.kind.workers();
        let layout = config::Layout { pki: &self.pki, databases: &databases, ports: &self.ports, workers };
        for service in SERVICES {
            std::fs::write(self.config(service), config::file(service, &layout)?)?;
        }
        watch.step("keys, secrets, roles and databases made");
        self.migrate()?;
        watch.step("databases migrated, the partner's secrets sealed");
        self.start_programs()?;
        self.await_ready()?;
        watch.step("services ready");
        Ok(())
    }

    /// What writes as the owner of the tables. Only these commands learn of the migrator's URL, and from their environment, so that the
    /// configuration that `serve` reads has none.
    fn migrate(&mut self) -> Result<()> {
        let mut running = Vec::new();
        for service in SERVICES {
            let arguments = ["migrate".to_owned(), "--config".to_owned(), text(&self.config(service))];
            let name = format!("{service}-migrate");
            let (variable, url_file) = self.migrator(service);
            let task = Task { logged: true, environment: &[(&variable, &url_file)], ..Task::default() };
            let number = self.run.begin_task(&name, self.programs.path(service)?, &arguments, &task)?;
            running.push((name, number));
        }
        for (name, number) in running {
            self.run.finish(&name, number)?;
        }
        partners::seal(self)
    }

    /// The variable that names the file with the migrator's URL, and the file.
    fn migrator(&self, service: &str) -> (String, String) {
        let variable = format!("{}__DATABASE__MIGRATOR_URL_FILE", service.to_uppercase());
        (variable, text(&self.url_file(service, "migrator.url")))
    }

    fn start_programs(&mut self) -> Result<()> {
        let (partner, collector) = (self.ports.of("partner")?, self.ports.of("collector")?);
        let webhook = partners::webhook_url(self)?;
        let listen = |port: u16| format!("127.0.0.1:{port}");
        self.spawn(
            "collector",
            "sandbox",
            &["collector", "--listen", &listen(collector), "--exit-with-parent", "true"],
        )?;
        let pki = text(&self.pki);
        let arguments = [
            "partner",
            "--dir",
            &pki,
            "--listen",
            &listen(partner),
            "--webhook-url",
            &webhook,
            "--otlp-endpoint",
            &format!("http://127.0.0.1:{collector}"),
            "--exit-with-parent",
            "true",
        ];
        self.spawn("partner", "sandbox", &arguments)?;
        for service in SERVICES {
            let config = text(&self.config(service));
            self.spawn(service, service, &["serve", "--config", &config])?;
        }
        Ok(())
    }

    fn await_ready(&mut self) -> Result<()> {
        let mut waiting: Vec<&str> = SERVICES.to_vec();
        let mut stand_ins = vec!["collector", "partner"];
        let ready = interrupt::wait(Some(READY_LIMIT), || {
            self.run.all_alive()?;
            stand_ins.retain(|name| !says_ready(&self.run.log(name)));
            // One answer costs a TLS handshake: those that are ready are not asked again.
            for service in std::mem::take(&mut waiting) {
                if !self.healthy(service)? {
                    waiting.push(service);
                }
            }
            Ok((waiting.is_empty() && stand_ins.is_empty()).then_some(()))
        })?;
        if ready.is_none() {
            let late = [waiting, stand_ins].concat();
            let words = late.first().map(|name| crate::process::last_words(&self.run.log(name))).unwrap_or_default();
            bail!("not ready after {} s: {}{words}", READY_LIMIT.as_secs(), late.join(", "));
        }
        Ok(())
    }

    fn healthy(&self, service: &str) -> Result<bool> {
        let program = self.programs.path(service)?;
        let status = Command::new(program)
            .args(["healthcheck", "--config"])
            .arg(self.config(service))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(status.success())
    }

    /// A program of the story (`story`, or `story seed`) with this system described to it, on our terminal.
    pub(crate) fn tell(&mut self, arguments: &[&str], report: &Path) -> Result<std::process::ExitStatus> {
        let file = self.write_description(report)?;
        let task =
            Task { directory: Some(&place::root()), environment: &[("REDOUBT_STACK", &file)], ..Task::default() };
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let number = self.run.begin_task("story", self.programs.path("story")?, &arguments, &task)?;
        self.run.end_task(number)
    }

    /// A program that measures this system; the last line that it prints is its report.
    pub(crate) fn measure(&mut self, program: &str, arguments: &[String]) -> Result<Value> {
        let file = self.write_description(Path::new(""))?;
        let task = Task { logged: true, environment: &[("REDOUBT_STACK", &file)], ..Task::default() };
        self.run.task("measure", self.programs.path(program)?, arguments, &task)?;
        let log = std::fs::read_to_string(self.run.log("measure"))?;
        serde_json::from_str(log.lines().last().unwrap_or_default()).context("the report of what was measured")
    }

    fn write_description(&self, report: &Path) -> Result<String> {
        let file = self.run.directory().join("stack.json");
        std::fs::write(&file, self.describe(report)?.to_string())?;
        Ok(text(&file))
    }

    /// As `e2e::stack::Stack` reads it.
    fn describe(&self, report: &Path) -> Result<Value> {
        let startup: Vec<Value> = self
            .startup
            .iter()
            .map(|(name, time)| json!({ "name": name, "millis": u64::try_from(time.as_millis()).unwrap_or(u64::MAX) }))
            .collect();
        Ok(json!({
            "auth_url": self.url("auth")?,
            "attestation_url": self.url("attestation")?,
            "ledger_url": self.url("ledger")?,
            "broker_url": self.url("broker")?,
            "ledger_internal_url": self.url("ledger-internal")?,
            "broker_internal_url": self.url("broker-internal")?,
            "partner_url": self.url("partner")?,
            "webhook_url": partners::webhook_url(self)?,
            "collector_url": format!("http://127.0.0.1:{}", self.ports.of("collector")?),
            "pki": self.pki,
            "logs": self.run.directory().join("logs"),
            "report": report,
            "postgres": format!("{} ({})", self.cluster.about(), self.cluster.rung()),
            "startup": startup,
        }))
    }

    /// The public URL of a listener.
    pub(crate) fn url(&self, name: &str) -> Result<String> {
        Ok(format!("https://localhost:{}", self.ports.of(name)?))
    }

    pub(crate) fn pki(&self) -> &Path {
        &self.pki
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The file with a role's URL, e.g. `app.url` of `ledger`.
    pub(crate) fn url_file(&self, service: &str, file: &str) -> PathBuf {
        self.run.directory().join("databases").join(service).join(file)
    }

    pub(crate) fn database_url(&self) -> &str {
        self.cluster.url()
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.run.directory().join("logs")
    }

    /// Err if something that should run has ended.
    pub(crate) fn all_alive(&mut self) -> Result<()> {
        self.run.all_alive()
    }

    /// Moves the logs out of the run's directory before it goes, and says where they are.
    pub(crate) fn keep_logs(self, error: anyhow::Error) -> anyhow::Error {
        if matches!(error.downcast_ref(), Some(Stop::Interrupted)) {
            return error; // nothing went wrong that a log could explain
        }
        let kept = place::target().join("dev/failed-run");
        drop(std::fs::remove_dir_all(&kept));
        match std::fs::rename(self.logs(), &kept) {
            Ok(()) => error.context(format!("logs are kept in {}", place::short(&kept))),
            Err(_) => error,
        }
    }

    /// Ends everything, in order, and makes sure that nothing is left.
    pub(crate) fn end(mut self) -> Result<()> {
        if self.cluster.rung() == Rung::Url {
            let url = self.cluster.url().to_owned();
            let arguments = ["remove", "--services", &SERVICES.join(",")].map(str::to_owned);
            let task = Task { logged: true, environment: &[("REDOUBT_SUPERUSER_URL", &url)], ..Task::default() };
            self.run.task("remove", self.programs.path("sandbox")?, &arguments, &task)?;
        }
        let directory = self.run.directory().to_owned();
        let programs = self.run.end();
        drop(self.cluster);
        let left = left_behind(&directory);
        if directory.exists() || !left.is_empty() {
            bail!("something was left behind: {} {}", directory.display(), left.join(", "));
        }
        println!("stopped {programs} programs and PostgreSQL; nothing is left behind");
        Ok(())
    }

    /// The file with a service's settings.
    pub(crate) fn config(&self, service: &str) -> PathBuf {
        self.run.directory().join(format!("{service}.toml"))
    }

    fn spawn(&mut self, name: &str, program: &str, arguments: &[&str]) -> Result<()> {
        self.ports.release(name);
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.run.spawn(name, self.programs.path(program)?, &arguments)
    }

    fn task(&mut self, name: &str, program: &str, arguments: &[&str]) -> Result<()> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let task = Task { logged: true, ..Task::default() };
        self.run.task(name, self.programs.path(program)?, &arguments, &task)
    }
}

/// The services, `sandbox` and `story`.
pub(crate) const PROGRAMS: [&str; 13] = [
    "--package",
    "auth",
    "--package",
    "attestation",
    "--package",
    "ledger",
    "--package",
    "broker",
    "--package",
    "testkit",
    "--package",
    "e2e",
    "--bins",
];

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn says_ready(log: &Path) -> bool {
    std::fs::read_to_string(log).unwrap_or_default().lines().any(|line| line.starts_with("ready "))
}

/// Processes whose command line names the run's directory. Linux shows them under `/proc`; elsewhere we rely on having waited.
fn left_behind(directory: &Path) -> Vec<String> {
    let needle = text(directory);
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    lines.filter(|line| line.contains(&needle)).collect()
}

/// How long the steps of the start took.
struct Watch {
    last: Instant,
    steps: Vec<(String, Duration)>,
}

impl Watch {
    fn begin() -> Self {
        Self { last: Instant::now(), steps: Vec::new() }
    }

    fn step(&mut self, name: &str) {
        let took = self.last.elapsed();
        self.last = Instant::now();
        if !name.starts_with("built") && !name.starts_with("PostgreSQL") {
            println!("{name} ({:.1} s)", took.as_secs_f64());
        }
        self.steps.push((name.to_owned(), took));
    }
}

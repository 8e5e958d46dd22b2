//! A system that runs: what it is asked, what it measures, and its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ladder::{Cluster, Rung};
use serde_json::Value;

use super::description::Description;
use super::loads::Loads;
use super::{Kind, Ports, aside, partners};
use crate::compile::Programs;
use crate::phone::Offer;
use crate::process::{Run, Task};
use crate::stop::Stop;
use crate::{interrupt, place, say};

/// How long a server may take to let go of what was made on it.
const REMOVAL: Duration = Duration::from_secs(30);

/// Where the modes of a service's layers begin in its settings; what stands there is made anew each time.
const MODES: &str = "\n[defense.modes]\n";

pub(crate) struct Stack {
    pub(super) programs: Programs,
    /// Before the cluster: the programs end first.
    pub(super) run: Run,
    pub(super) cluster: Cluster,
    pub(super) ports: Ports,
    pub(super) pki: PathBuf,
    pub(super) kind: Kind,
    /// What stands before the services, if anything does.
    pub(super) edge: Option<ladder::edge::Software>,
    pub(super) startup: Vec<(String, Duration)>,
}

impl Stack {
    /// A program of the story (`story`, or `story seed`) with this system described to it, on our terminal.
    pub(crate) fn tell(&mut self, arguments: &[&str], report: &Path) -> Result<std::process::ExitStatus> {
        let number = self.begin_story(arguments, report, false)?;
        self.run.end_task(number)
    }

    /// The same, and what it printed.
    #[cfg(test)]
    pub(crate) fn told(&mut self, arguments: &[&str]) -> Result<(std::process::ExitStatus, String)> {
        let number = self.begin_story(arguments, Path::new(""), true)?;
        let printed = std::io::read_to_string(self.run.output_of(number)?)?;
        Ok((self.run.end_task(number)?, printed))
    }

    fn begin_story(&mut self, arguments: &[&str], report: &Path, piped: bool) -> Result<usize> {
        let file = self.write_description(report)?;
        let environment = [("REDOUBT_STACK", file.as_str())];
        let task = Task { piped, directory: Some(&place::root()), environment: &environment, ..Task::default() };
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.run.begin_task("story", self.programs.path("story")?, &arguments, &task)
    }

    /// A program that measures this system; the last line that it prints is its report.
    pub(crate) fn measure(&mut self, program: &str, arguments: &[String]) -> Result<Value> {
        let file = self.write_description(Path::new(""))?;
        let task = Task { logged: true, environment: &[("REDOUBT_STACK", &file)], ..Task::default() };
        self.run.task("measure", self.programs.path(program)?, arguments, &task)?;
        let log = std::fs::read_to_string(self.run.log("measure"))?;
        serde_json::from_str(log.lines().last().unwrap_or_default()).context("the report of what was measured")
    }

    /// The generator of loads on this system; it goes on until it is dropped.
    pub(crate) fn begin_loads(&mut self) -> Result<Loads> {
        let file = self.write_description(Path::new(""))?;
        let environment = [("REDOUBT_STACK", file.as_str())];
        let task = Task { piped: true, input: true, environment: &environment, ..Task::default() };
        let number = self.run.begin_task("load", self.programs.path("story")?, &["load".to_owned()], &task)?;
        Ok(Loads::new(number, self.run.input_of(number)?, self.run.output_of(number)?))
    }

    /// Ends the generator of loads, which has nothing more to do.
    pub(crate) fn end_loads(&mut self, loads: Loads) -> Result<()> {
        let number = loads.number;
        drop(loads);
        self.run.finish("load", number)
    }

    /// Starts a service again with some of its layers off, which only programs that were built for it can do, and without some tables of its settings.
    pub(crate) fn turn_off(&mut self, service: &'static str, layers: &[String], tables: &[&str]) -> Result<()> {
        let file = self.config(service);
        let settings = std::fs::read_to_string(&file)?;
        let settings = aside::without(settings.split(MODES).next().unwrap_or_default(), tables);
        let off: Vec<String> = layers.iter().map(|layer| format!("{layer} = \"off\"\n")).collect();
        std::fs::write(&file, format!("{settings}{MODES}{}", off.concat()))?;
        self.restart(service)
    }

    /// Ends a service and starts it again; returns when it is ready.
    pub(crate) fn restart(&mut self, service: &'static str) -> Result<()> {
        self.run.stop(service)?;
        self.start_service(service)?;
        self.await_service(service)
    }

    /// Lets `cargo xtask phone` find this system, until what is returned is dropped.
    pub(crate) fn offer(&self, report: &Path) -> Result<Offer> {
        Offer::make(&self.write_description(report)?, self.programs.path("story")?)
    }

    pub(super) fn write_description(&self, report: &Path) -> Result<String> {
        let file = self.run.directory().join("stack.json");
        std::fs::write(&file, self.describe(report)?.to_string())?;
        Ok(text(&file))
    }

    fn describe(&self, report: &Path) -> Result<Value> {
        let (logs, postgres) = (self.logs(), format!("{} ({})", self.cluster.about(), self.cluster.rung()));
        let description = Description {
            ports: &self.ports,
            edge: self.edge.is_some(),
            // Elsewhere 127.0.0.1 is the only one of its network that this machine has.
            places: cfg!(target_os = "linux"),
            pki: &self.pki,
            logs: &logs,
            report,
            postgres: &postgres,
            startup: &self.startup,
        };
        description.json()
    }

    /// The URL by which the world reaches a listener.
    pub(crate) fn url(&self, name: &str) -> Result<String> {
        self.ports.url(name, self.edge.is_some())
    }

    /// Whether the edge stands before the services.
    pub(crate) fn has_edge(&self) -> bool {
        self.edge.is_some()
    }

    /// Where the sandbox partner sends its webhooks.
    pub(super) fn webhook_url(&self) -> Result<String> {
        Ok(format!("{}/webhooks/{}", self.url("broker")?, partners::webhooks()?))
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

    /// Moves the logs out of the run's directory before it goes, and says where they are. What this run has made on a server that goes on goes, too.
    pub(crate) fn keep_logs(mut self, error: anyhow::Error) -> anyhow::Error {
        let error = match self.remove() {
            Ok(_) => error,
            Err(left) => error.context(format!("its databases and roles are still there: {left:#}")),
        };
        if matches!(error.downcast_ref(), Some(Stop::Interrupted)) {
            return error; // nothing went wrong that a log could explain
        }
        place::keep_logs(&self.logs(), error)
    }

    /// Removes databases and roles from a server that was given, and says which one that is. Whoever asked us to stop asked for this: they are heard, and
    /// have to ask again to stop it.
    /// With how many programs were ended first: who uses a database keeps it.
    fn remove(&mut self) -> Result<Option<(usize, String)>> {
        if self.cluster.rung() != Rung::Url {
            return Ok(None);
        }
        interrupt::heard();
        let url = self.cluster.url().to_owned();
        let task = Task { logged: true, environment: &[("REDOUBT_SUPERUSER_URL", &url)], ..Task::default() };
        let remove = self.programs.path("sandbox")?;
        let ended = self.run.last_task("remove", remove, &["remove".to_owned()], &task, REMOVAL)?;
        Ok(Some((ended, self.cluster.about().to_owned())))
    }

    /// Ends everything, in order, and makes sure that nothing is left.
    pub(crate) fn end(mut self) -> Result<()> {
        let given = self.remove()?;
        let directory = self.run.directory().to_owned();
        let still = self.run.end();
        drop(self.cluster);
        let left = left_behind(&directory);
        if directory.exists() || !left.is_empty() {
            bail!("something was left behind: {} {}", directory.display(), left.join(", "));
        }
        let (programs, about) = given.map_or((still, None), |(ended, about)| (ended, Some(about)));
        let and_server = match about {
            Some(about) => format!("; their databases and roles are gone from {about}, which goes on"),
            None => " and PostgreSQL; nothing is left behind".to_owned(),
        };
        say::line(&format!("stopped {programs} programs{and_server}"));
        Ok(())
    }

    /// The file with a service's settings.
    pub(crate) fn config(&self, service: &str) -> PathBuf {
        self.run.directory().join(format!("{service}.toml"))
    }
}

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Processes whose command line names the run's directory. Linux shows them under `/proc`; elsewhere we rely on having waited.
fn left_behind(directory: &Path) -> Vec<String> {
    let needle = text(directory);
    // Lost: where there is no such folder, we rely on having waited.
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?; // Lost: it has ended meanwhile.
        Some(format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    lines.filter(|line| line.contains(&needle)).collect()
}

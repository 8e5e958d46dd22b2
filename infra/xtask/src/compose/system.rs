//! A project: up, down, and as the story and the phones see it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use system::system;

use super::PROJECT;
use super::engine::{self, Engine};
use super::probe;
use crate::compile::{self, Programs};
use crate::process::{Run, Task};
use crate::stack::{Description, Ports, programs};
use crate::stop::Stop;
use crate::{interrupt, place, say};

/// How long all containers may take until they are healthy, in seconds: on a small machine the databases are made meanwhile.
const PATIENCE: &str = "300";

/// Containers that run, and the followers of their logs.
pub(crate) struct Containers {
    engine: Engine,
    programs: Programs,
    /// The followers; they end with this value.
    run: Run,
    ports: Ports,
    pki: PathBuf,
    /// Whether the containers and all that they store go with this value.
    passing: bool,
}

pub(super) fn up(engine: Engine) -> Result<()> {
    Engine::check()?;
    let fresh = engine.is_fresh()?;
    let mut containers = Containers::start(engine, false)?;
    if fresh {
        let seeded = containers.tell(&["seed"], Path::new(""))?;
        if !seeded.success() {
            bail!("no users could be seeded: {seeded}");
        }
    }
    println!("\nREDOUBT is up in containers; `cargo xtask compose down` stops it\n");
    for service in &system()?.services {
        match service.public {
            Some(_) => println!("  {:<12} {}", service.name, containers.ports.url(&service.name, false)?),
            None => println!("  {:<12} from inside only", service.name),
        }
    }
    println!("  {:<12} http://127.0.0.1:{}/traces", "traces", containers.ports.of("collector")?);
    println!(
        "\n  curl --cacert {}/public-ca.pem \\\n    {}/.well-known/openid-configuration",
        place::short(&containers.pki),
        containers.ports.url("auth", false)?
    );
    if containers.engine.project == PROJECT {
        println!("  cargo xtask phone alice accounts");
    }
    Ok(())
}

pub(super) fn down(engine: &Engine, volumes: bool) -> Result<()> {
    Engine::check()?;
    let mut words = vec!["down", "--remove-orphans"];
    words.extend(volumes.then_some("--volumes"));
    if !engine.run(&words)? {
        bail!("the containers could not be removed; what Docker says stands above");
    }
    if volumes && engine.folder().exists() {
        std::fs::remove_dir_all(engine.folder())?;
    }
    Ok(())
}

/// The system that `compose up` keeps running, as a phone needs it.
///
/// # Errors
///
/// None runs.
pub(crate) fn running() -> Result<Containers> {
    let engine = Engine { project: PROJECT.to_owned(), offline: false, environment: Vec::new() };
    let pki = engine.folder().join("pki");
    if !pki.exists() {
        bail!("no `compose up` has begun here");
    }
    Engine::check()?;
    if !engine.is_running()? {
        bail!("the containers of the last `compose up` do not run");
    }
    let directory = place::target().join("debug");
    Containers::attach(engine, Programs::in_directory(&directory, &["story"]), false)
}

/// The whole story before containers of its own, which go at its end.
pub(crate) fn demo(offline: bool) -> Result<()> {
    Engine::check()?;
    let began = Instant::now();
    let mut containers = Containers::start(of_its_own("demo", offline)?, true)?;
    let report = place::target().join("dev/report.html");
    let status = containers.tell(&[], &report)?;
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        let error = anyhow!(Stop::Failed(code, format!("the story did not end well ({status})")));
        return Err(place::keep_logs(&containers.run.directory().join("logs"), error));
    }
    probe::run(&containers.engine)?;
    containers.end()?;
    say::line(&format!("done in {:.1} s; the report: {}", began.elapsed().as_secs_f64(), place::short(&report)));
    Ok(())
}

/// A project that goes, on free ports.
pub(super) fn of_its_own(purpose: &str, offline: bool) -> Result<Engine> {
    let free = Ports::free()?;
    let mut environment = Vec::new();
    for (name, _) in system()?.listeners() {
        environment.push((engine::variable(&name), free.of(&name)?.to_string()));
    }
    drop(free); // Docker binds them itself, one after the other.
    Ok(Engine { project: format!("{PROJECT}-{purpose}-{}", std::process::id()), offline, environment })
}

/// The images, and the programs that stand before what runs of them.
pub(super) fn build(engine: &Engine) -> Result<Programs> {
    engine.room()?;
    let mut run = Run::of("containers")?;
    if engine.offline {
        engine::makes_images()?;
        let packages = [programs()?, vec!["--package".to_owned(), "xtask".to_owned()]].concat();
        let programs = compile::build(&mut run, "the services and their stand-ins", &packages)?;
        offline_images(&mut run, &programs)?;
        return Ok(programs);
    }
    let programs = compile::build(&mut run, "the phones", &["--package", "e2e", "--bins"].map(str::to_owned))?;
    if !engine.run(&["build"])? {
        bail!(
            "the images could not be built; what Docker says stands above (where nothing can be pulled, `--offline` does without)"
        );
    }
    Ok(programs)
}

/// Starts the containers and waits until all are healthy.
pub(super) fn start(engine: &Engine) -> Result<()> {
    say::line(&format!("starting the containers of {} …", engine.project));
    if engine.run(&["up", "--detach", "--wait", "--wait-timeout", PATIENCE, "--quiet-pull"])? {
        return Ok(());
    }
    Err(anyhow!("not all containers are healthy: {}", engine.complaint()?))
}

impl Containers {
    /// Builds and starts them, and waits until all are healthy.
    pub(crate) fn start(engine: Engine, passing: bool) -> Result<Self> {
        let published = engine.published()?;
        if !engine.is_running()? {
            engine::free(&published)?;
        }
        let programs = build(&engine)?;
        if let Err(error) = start(&engine).and_then(|()| interrupt::check()) {
            if passing {
                remove(&engine)?;
            }
            return Err(error);
        }
        Self::attach(engine, programs, passing)
    }

    /// What is needed to stand before those that run.
    fn attach(engine: Engine, programs: Programs, passing: bool) -> Result<Self> {
        let (mut run, ports) = (Run::of("containers")?, Ports::of_published(engine.published()?)?);
        let pki = engine.folder().join("pki");
        if pki.exists() {
            std::fs::remove_dir_all(&pki)?;
        }
        std::fs::create_dir_all(engine.folder())?;
        engine.take("keys", "/run/redoubt/pki", &pki)?;
        for service in &system()?.services {
            // Not Compose's own `logs`: some versions put words for a terminal before each line.
            let container = engine.container(&service.name)?;
            let words = ["logs", "--follow", &container].map(str::to_owned);
            run.spawn_foreign(&service.name, Path::new("docker"), &words, &[])?;
        }
        Ok(Self { engine, programs, run, ports, pki, passing })
    }

    /// A program of the story with this system described to it, on our terminal.
    pub(crate) fn tell(&mut self, arguments: &[&str], report: &Path) -> Result<ExitStatus> {
        let logs = self.run.directory().join("logs");
        let description = Description {
            ports: &self.ports,
            edge: false,
            // They see the gate's address.
            places: false,
            pki: &self.pki,
            logs: &logs,
            report,
            postgres: "PostgreSQL in a container",
            startup: &[],
        };
        let file = self.run.directory().join("stack.json");
        std::fs::write(&file, description.json()?.to_string())?;
        let file = file.display().to_string();
        let environment = [("REDOUBT_STACK", file.as_str())];
        let task = Task { directory: Some(&place::root()), environment: &environment, ..Task::default() };
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let number = self.run.begin_task("story", self.programs.path("story")?, &arguments, &task)?;
        self.run.end_task(number)
    }

    /// Removes them, with all that they store.
    pub(crate) fn end(mut self) -> Result<()> {
        self.passing = false;
        remove(&self.engine)
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        if self.passing
            && let Err(error) = remove(&self.engine)
        {
            say::failure(&format!("{error:#}"));
        }
    }
}

/// Removes its containers, with all that they store.
pub(super) fn remove(engine: &Engine) -> Result<()> {
    let gone = engine.ask(&["down", "--volumes", "--remove-orphans", "--timeout", "10"]);
    let by_hand = || format!("remove them by hand: docker compose --project-name {} down --volumes", engine.project);
    gone.with_context(by_hand)?;
    if engine.folder().exists() {
        std::fs::remove_dir_all(engine.folder())?;
    }
    Ok(())
}

/// Out of this machine's packages and what was just built.
fn offline_images(run: &mut Run, programs: &Programs) -> Result<()> {
    let script = place::root().join("infra/docker/offline-images.sh");
    let folder = programs.path("sandbox")?.parent().context("programs stand in a folder")?;
    say::line("building the images out of Debian's packages (some minutes the first time) …");
    run.task("images", &script, &[folder.display().to_string()], &Task { logged: true, ..Task::default() })
}

//! A container of a pinned image, by the `docker` program: no library, no daemon protocol of our own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::guard::{Guard, Setting};
use crate::{Options, shell};

const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Pulling some 100 MB over a slow line.
const PULL_LIMIT: Duration = Duration::from_mins(10);
const START_LIMIT: Duration = Duration::from_secs(90);

/// A running container. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Container {
    port: u16,
    password: String,
    _guard: Guard,
}

impl Container {
    /// Starts one and waits until it accepts sessions.
    pub(super) fn start(options: &Options) -> Result<Self, String> {
        let docker = daemon()?.0;
        provide_image(&docker, &options.image, options.say)?;
        let name = format!("redoubt-postgres-{}-{}", std::process::id(), shell::random_hex(4)?);
        let password = shell::random_hex(18)?;
        let mut guard = Guard::over_container(&docker, &name)?;
        create(&docker, &name, &password, options, &mut guard)?;
        let port = published_port(&docker, &name)?;
        let address = format!("127.0.0.1:{port}");
        // While it initializes, the image's first server listens on no TCP port: an answer there is the real one.
        let ready = shell::poll(START_LIMIT, || (shell::answers(&address) || !runs(&docker, &name)).then_some(()));
        if ready.is_none() || !shell::answers(&address) {
            return Err(format!("the container did not become ready: {}", logs(&docker, &name)));
        }
        Ok(Self { port, password, _guard: guard })
    }

    /// The superuser's URL.
    pub(super) fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }
}

/// What [`Container::start`] would do.
pub(super) fn outlook(image: &str) -> Result<String, String> {
    let (docker, version) = daemon()?;
    let state = if has_image(&docker, image) { "is here" } else { "would be pulled" };
    Ok(format!("Docker {version} answers; image {image} {state}"))
}

/// The program and the version of the daemon behind it.
fn daemon() -> Result<(PathBuf, String), String> {
    let docker = shell::which("docker").ok_or("the docker program is not here")?;
    let version = shell::stdout(&docker, &["version", "--format", "{{.Server.Version}}"], ANSWER_LIMIT)
        .map_err(|words| format!("Docker does not answer ({words})"))?;
    Ok((docker, version))
}

fn has_image(docker: &Path, image: &str) -> bool {
    shell::stdout(docker, &["image", "inspect", "--format", "{{.Id}}", image], ANSWER_LIMIT).is_ok()
}

fn provide_image(docker: &Path, image: &str, say: fn(&str)) -> Result<(), String> {
    if has_image(docker, image) {
        return Ok(());
    }
    say(&format!("pulling the image {image} (once)"));
    shell::stdout(docker, &["pull", "--quiet", image], PULL_LIMIT).map(drop).map_err(|words| {
        format!("the image {image} is not here and cannot be pulled ({words}); REDOUBT_POSTGRES_IMAGE names another")
    })
}

fn create(docker: &Path, name: &str, password: &str, options: &Options, guard: &mut Guard) -> Result<(), String> {
    let mut arguments: Vec<String> = [
        "run",
        "--detach",
        "--rm",
        "--pull=never",
        "--name",
        name,
        "--label",
        "dev.redoubt=postgres",
        "--publish",
        "127.0.0.1::5432",
        "--shm-size=256m",
        // The value comes from the client's environment, so it stands in no process list.
        "--env",
        "POSTGRES_PASSWORD",
        "--env",
        "POSTGRES_INITDB_ARGS=--auth=scram-sha-256 --encoding=UTF8 --locale=C",
        &options.image,
        "-c",
        "max_connections=300",
    ]
    .map(str::to_owned)
    .to_vec();
    for setting in options.durability.settings() {
        arguments.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    let log = std::env::temp_dir().join(format!("{name}.log"));
    let environment = [("POSTGRES_PASSWORD", password)];
    let setting = Setting { log: Some(&log), environment: &environment, ..Setting::new(Path::new("/")) };
    let mut child = guard.start(docker, &arguments, &setting)?;
    let ended = shell::poll(START_LIMIT, || child.try_wait().transpose());
    if ended.is_none() {
        drop(child.kill());
        drop(child.wait());
    }
    guard.forget(&child);
    let words = shell::logged(&log);
    drop(std::fs::remove_file(&log));
    if matches!(ended, Some(Ok(status)) if status.success()) {
        return Ok(());
    }
    Err(format!("`docker run` failed: {}", shell::explain(words.trim().lines().last().unwrap_or("no answer in time"))))
}

fn published_port(docker: &Path, name: &str) -> Result<u16, String> {
    let mapping = shell::stdout(docker, &["port", name, "5432/tcp"], ANSWER_LIMIT)
        .map_err(|words| format!("the container has no port ({words})"))?;
    let port = mapping.lines().find_map(|line| line.rsplit(':').next()?.parse().ok());
    port.ok_or_else(|| format!("the container's port cannot be read from `{mapping}`"))
}

fn runs(docker: &Path, name: &str) -> bool {
    shell::stdout(docker, &["inspect", "--format", "{{.State.Running}}", name], ANSWER_LIMIT)
        .is_ok_and(|state| state == "true")
}

fn logs(docker: &Path, name: &str) -> String {
    let output = shell::run(Command::new(docker).args(["logs", "--tail", "1", name]), ANSWER_LIMIT);
    output.map_or_else(|reason| reason, |output| shell::last_words(&output))
}

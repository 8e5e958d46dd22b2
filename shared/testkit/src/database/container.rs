//! A server in a container, by testcontainers: for tests that run without `cargo xtask test`, with the feature `docker`.
//!
//! A container in a static is never dropped, so it would outlive even a run that passed. The ladder's guard removes this one,
//! like everything else that a test process starts. testcontainers publishes the port on every interface; the ladder's own
//! container does so on loopback only, and both ask for a random password.

use std::sync::OnceLock;
use std::time::Duration;

use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use ladder::{Guard, Mode, Options, Rung, shell, survey};

/// Whether the container stands before what the ladder would take: asked for, or nothing else is on this machine.
pub(super) fn wanted(options: &Options) -> bool {
    let holds = |rung| survey(options).into_iter().any(|(known, outlook)| known == rung && outlook.is_ok());
    match options.mode {
        Mode::Only(rung) => rung == Rung::Docker,
        Mode::Auto => !holds(Rung::Url) && !holds(Rung::System) && holds(Rung::Docker),
    }
}

/// Starts the container of this process and returns the superuser's URL.
pub(super) fn url(image: &str) -> Result<String, String> {
    static HELD: OnceLock<(ContainerAsync<GenericImage>, Guard)> = OnceLock::new();
    let name = format!("redoubt-postgres-{}-{}", std::process::id(), shell::random_hex(4)?);
    let password = shell::random_hex(18)?;
    let docker = shell::which("docker").ok_or("the docker program is not here")?;
    let guard = Guard::over_container(&docker, &name)?;
    let (container, port) = start(image, &name, &password)?;
    HELD.get_or_init(|| (container, guard));
    let address = format!("127.0.0.1:{port}");
    shell::poll(Duration::from_secs(90), || shell::answers(&address).then_some(()))
        .ok_or_else(|| format!("the container {name} did not become ready"))?;
    Ok(format!("postgres://postgres:{password}@{address}/postgres"))
}

fn start(image: &str, name: &str, password: &str) -> Result<(ContainerAsync<GenericImage>, u16), String> {
    let (repository, tag) = match image.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    };
    let settings = ["max_connections=300", "fsync=off", "synchronous_commit=off", "full_page_writes=off"];
    let request = GenericImage::new(repository, tag)
        .with_exposed_port(5432.tcp())
        .with_container_name(name)
        .with_label("dev.redoubt", "postgres")
        .with_shm_size(256 * 1024 * 1024)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_env_var("POSTGRES_INITDB_ARGS", "--auth=scram-sha-256 --encoding=UTF8 --locale=C")
        .with_cmd(settings.iter().flat_map(|setting| ["-c", setting]));
    // The caller may be a thread of a runtime that ends before the process does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let container = request.start().await.map_err(|e| format!("the container cannot be started ({e})"))?;
        let port = container.get_host_port_ipv4(5432).await.map_err(|e| format!("the container has no port ({e})"))?;
        Ok((container, port))
    })
}

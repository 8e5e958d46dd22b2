//! A PostgreSQL in a container, for this process.

use std::sync::OnceLock;
use std::time::Duration;

use ladder::{Mode, Options, Rung, shell, survey};
use testcontainers::ImageExt;

use super::Container;

/// Whether the container stands before what the ladder would take: asked for, or nothing else is on this machine.
pub(crate) fn wanted(options: &Options) -> bool {
    let holds = |rung| survey(options).into_iter().any(|(known, outlook)| known == rung && outlook.is_ok());
    match options.mode {
        Mode::Only(rung) => rung == Rung::Docker,
        Mode::Auto => !holds(Rung::Url) && !holds(Rung::System) && holds(Rung::Docker),
    }
}

/// Starts the container of this process and returns the superuser's URL.
pub(crate) fn url(image: &str) -> Result<String, String> {
    static HELD: OnceLock<Container> = OnceLock::new();
    let password = shell::random_hex(18)?;
    let settings = ["max_connections=300", "fsync=off", "synchronous_commit=off", "full_page_writes=off"];
    let container = Container::start(image, 5432, "postgres", |request| {
        request
            .with_shm_size(256 * 1024 * 1024)
            .with_env_var("POSTGRES_PASSWORD", &password)
            .with_env_var("POSTGRES_INITDB_ARGS", "--auth=scram-sha-256 --encoding=UTF8 --locale=C")
            .with_cmd(settings.iter().flat_map(|setting| ["-c", setting]))
    })?;
    let address = HELD.get_or_init(|| container).address();
    // While it initializes, the image's first server listens on no TCP port: an answer there is the real one.
    shell::poll(Duration::from_secs(90), || shell::answers(&address).then_some(()))
        .ok_or_else(|| format!("the container of {image} did not become ready"))?;
    Ok(format!("postgres://postgres:{password}@{address}/postgres"))
}

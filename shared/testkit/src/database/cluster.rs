//! The server that tests use: the one named by the environment, or one that this process brings itself.

#![expect(
    clippy::disallowed_methods,
    reason = "tests are told their server by the environment; there is no configuration file"
)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use storage::EmbeddedMigrations;

use ladder::{Cluster, Durability, Options};

/// A superuser's URL of the server that `cargo xtask test` started.
const URL: &str = "REDOUBT_TEST_DATABASE_URL";

/// The superuser's URL. The first call may take two seconds.
pub(super) async fn server() -> Result<&'static str> {
    static SERVER: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let answer = tokio::task::spawn_blocking(|| {
        SERVER.get_or_init(|| match std::env::var(URL) {
            Ok(url) if !url.is_empty() => Ok(url),
            _ => own(),
        })
    })
    .await?;
    answer.as_deref().map_err(|reason| anyhow!("{reason}"))
}

/// A server of this process, held until it ends: a static is never dropped, but its guard outlives the process and cleans up.
fn own() -> std::result::Result<String, String> {
    static HELD: OnceLock<Cluster> = OnceLock::new();
    let mut options = Options::new(work_dir(), Durability::Disposable);
    if let Ok(mode) = std::env::var("REDOUBT_POSTGRES") {
        options.mode = mode.parse()?;
    }
    if let Ok(image) = std::env::var("REDOUBT_POSTGRES_IMAGE") {
        options.image = image;
    }
    options.url = std::env::var("REDOUBT_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    #[cfg(feature = "docker")]
    if crate::container::postgres::wanted(&options) {
        return crate::container::postgres::url(&options.image);
    }
    let cluster = ladder::bring(&options).map_err(|error| error.to_string())?;
    Ok(HELD.get_or_init(|| cluster).url().to_owned())
}

/// Cargo's target directory, above the running test; else the temporary directory.
pub(crate) fn work_dir() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| exe.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file()).map(PathBuf::from))
        .unwrap_or_else(std::env::temp_dir)
}

/// Tells one set of migrations from another. Their text is closed to us, so the binary that embeds them stands for it: a
/// server that outlives a build gets a fresh template.
pub(super) fn fingerprint(migrations: &EmbeddedMigrations) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    let source: &dyn MigrationSource<Pg> = migrations;
    for migration in source.migrations().map_err(|error| anyhow!("{error}"))? {
        migration.name().to_string().hash(&mut hasher);
    }
    let meta = std::env::current_exe()?.metadata()?;
    (meta.len(), meta.modified()?).hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

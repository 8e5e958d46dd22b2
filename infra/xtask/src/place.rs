//! Where we are: the workspace and its target directory.

use std::path::{Path, PathBuf};

/// The workspace's root. `cargo run` says where the package is; a copied binary remembers where it was built.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|directory| directory.ends_with("infra/xtask"))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    package.ancestors().nth(2).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Cargo's target directory: the one this binary stands in.
pub(crate) fn target() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|exe| exe.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file()).map(Path::to_owned))
        .unwrap_or_else(|| root().join("target"))
}

/// A path as a person in the workspace would write it.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Moves the logs of a run that failed out of its directory before it goes, and says where they are.
pub(crate) fn keep_logs(logs: &Path, error: anyhow::Error) -> anyhow::Error {
    let kept = target().join("dev/failed-run");
    drop(std::fs::remove_dir_all(&kept));
    match std::fs::rename(logs, &kept) {
        Ok(()) => error.context(format!("logs are kept in {}", short(&kept))),
        Err(e) => error.context(format!("the logs could not be kept ({e})")),
    }
}

//! Where a PostgreSQL server's programs are on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{OLDEST_MAJOR, shell};

/// `initdb` and `postgres` of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    root: PathBuf,
    bin: PathBuf,
    major: u32,
    version: String,
}

impl Binaries {
    /// Looks into `root`/`bin`; None when there is no server in it.
    pub(super) fn at(root: &Path, bin: &str) -> Option<Self> {
        let directory = if bin.is_empty() { root.to_owned() } else { root.join(bin) };
        if !directory.join("initdb").is_file() {
            return None;
        }
        let words = shell::stdout(directory.join("postgres"), &["--version"], Duration::from_secs(10)).ok()?;
        let version = words.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?.to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        Some(Self { root: root.to_owned(), bin: directory, major, version })
    }

    /// The directory of the programs.
    pub(super) fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// The directory that has to be copied to take the whole installation elsewhere.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Version and place.
    pub(super) fn about(&self) -> String {
        format!("PostgreSQL {} in {}", self.version, self.bin.display())
    }
}

/// The newest server installed here.
pub(super) fn find() -> Result<Binaries, String> {
    let mut found: Vec<Binaries> = Vec::new();
    for directory in candidates() {
        // PATH directories often hold links into an installation that stands elsewhere.
        let Some(real) =
            directory.join("initdb").canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned))
        else {
            continue;
        };
        if !found.iter().any(|known| known.bin == real) {
            found.extend(Binaries::at(&real, ""));
        }
    }
    newest(found)
}

fn newest(found: Vec<Binaries>) -> Result<Binaries, String> {
    let best = found.into_iter().rev().max_by_key(|one| one.major).ok_or_else(|| {
        "no server binaries found (asked pg_config --bindir, /usr/lib/postgresql, /usr/pgsql-*, Homebrew and the PATH for initdb and postgres)"
            .to_owned()
    })?;
    if best.major < OLDEST_MAJOR {
        return Err(format!("{} is too old, at least {OLDEST_MAJOR} is needed", best.about()));
    }
    Ok(best)
}

fn candidates() -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(told) =
        shell::which("pg_config").and_then(|p| shell::stdout(p, &["--bindir"], Duration::from_secs(10)).ok())
    {
        places.push(PathBuf::from(told));
    }
    // Debian and Ubuntu; Red Hat's PGDG packages; Homebrew on both of its prefixes; Alpine.
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/usr/libexec", "postgresql"),
    ] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)) {
            places.push(entry.path().join("bin"));
            places.push(entry.path());
        }
    }
    places.extend(shell::path_directories());
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(major: u32) -> Binaries {
        let bin = PathBuf::from(format!("/opt/{major}/bin"));
        Binaries { root: bin.clone(), bin, major, version: format!("{major}.1") }
    }

    #[test]
    fn the_newest_server_wins() {
        assert_eq!(newest(vec![installed(15), installed(17), installed(16)]).unwrap().major, 17);
    }

    #[test]
    fn an_old_server_is_refused_with_its_version() {
        let reason = newest(vec![installed(13)]).unwrap_err();
        assert!(reason.contains("13.1") && reason.contains("15"), "{reason}");
    }

    #[test]
    fn no_server_says_where_it_looked() {
        assert!(newest(Vec::new()).unwrap_err().contains("pg_config"));
    }
}

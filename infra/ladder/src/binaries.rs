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
    /// Looks into `root`/`bin`; None when there is no server in it, and why if there is one that does not run.
    pub(super) fn at(root: &Path, bin: &str) -> Result<Option<Self>, String> {
        let directory = if bin.is_empty() { root.to_owned() } else { root.join(bin) };
        if !directory.join("initdb").is_file() {
            return Ok(None);
        }
        let server = directory.join("postgres");
        let broken = |why: String| format!("{} does not run: {why}", server.display());
        let words = shell::stdout(&server, &["--version"], Duration::from_secs(10)).map_err(broken)?;
        let version = words.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let major = version.and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        match version.zip(major) {
            Some((version, major)) => {
                Ok(Some(Self { root: root.to_owned(), bin: directory, major, version: version.to_owned() }))
            }
            None => Err(broken(format!("it says `{words}` of its version"))),
        }
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
    let (mut found, mut broken): (Vec<Binaries>, Vec<String>) = (Vec::new(), Vec::new());
    for directory in candidates() {
        // PATH directories often hold links into an installation that stands elsewhere.
        // Lost: in most of these places there is nothing.
        let Some(real) =
            directory.join("initdb").canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned))
        else {
            continue;
        };
        if !found.iter().any(|known| known.bin == real) {
            match Binaries::at(&real, "") {
                Ok(one) => found.extend(one),
                Err(why) => broken.push(why),
            }
        }
    }
    newest(found, &broken)
}

fn newest(found: Vec<Binaries>, broken: &[String]) -> Result<Binaries, String> {
    let best = found.into_iter().rev().max_by_key(|one| one.major).ok_or_else(|| match broken {
        [] => "no server binaries found (asked pg_config --bindir, /usr/lib/postgresql, /usr/pgsql-*, Homebrew and the PATH for initdb and postgres)"
            .to_owned(),
        why => why.join("; "),
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
        // Lost: most machines have few of these.
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
        assert_eq!(newest(vec![installed(15), installed(17), installed(16)], &[]).unwrap().major, 17);
    }

    #[test]
    fn an_old_server_is_refused_with_its_version() {
        let reason = newest(vec![installed(13)], &[]).unwrap_err();
        assert!(reason.contains("13.1") && reason.contains("15"), "{reason}");
    }

    #[test]
    fn no_server_says_where_it_looked() {
        assert!(newest(Vec::new(), &[]).unwrap_err().contains("pg_config"));
    }

    #[test]
    fn a_server_that_does_not_run_says_why_and_stands_behind_one_that_does() {
        let folder = std::env::temp_dir().join(format!("redoubt-binaries-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let program = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::write(folder.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o700)).unwrap();
        };
        assert_eq!(Binaries::at(&folder, ""), Ok(None));
        program("initdb", "");
        program("postgres", "echo libssl.so.3 is missing >&2; exit 127");
        let why = Binaries::at(&folder, "").unwrap_err();
        assert!(why.contains("libssl.so.3 is missing"), "{why}");
        assert!(newest(Vec::new(), std::slice::from_ref(&why)).unwrap_err().contains("libssl"));
        assert_eq!(newest(vec![installed(16)], &[why]).unwrap().major, 16);
        program("postgres", "echo postgres of a strange kind");
        assert!(Binaries::at(&folder, "").unwrap_err().contains("of a strange kind"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

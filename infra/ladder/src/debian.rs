//! Debian's packages, fetched by apt and unpacked, without being root and without installing anything. Their authenticity is apt's business, as with
//! any package of the distribution.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::shell;

/// A few megabytes over a slow line, and the lists of packages before them.
const LIMIT: Duration = Duration::from_mins(3);

/// How much of the packages is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Themselves: they are read, not run.
    Alone,
    /// What they need and this machine has not installed, too.
    WithWhatTheyNeed,
}

/// The folder into which one package is unpacked, fetched now if it is not there: its files are read, and nothing of it is run.
///
/// # Errors
///
/// It cannot be had: why.
pub fn unpacked(name: &str, work_dir: &Path, say: fn(&str)) -> Result<PathBuf, String> {
    let cache = std::path::absolute(work_dir).map_err(|e| e.to_string())?.join("debian").join(name);
    if !cache.is_dir() {
        let said = format!("fetching Debian's package {name} (once, into {})", cache.display());
        fetch(&[name], Extent::Alone, &cache, &|| cache.is_dir(), || say(&said))?;
    }
    Ok(cache)
}

/// Into the cache: beside it, and renamed, so that two at once do not see each other's half. Nothing is replaced that is `there` by then.
pub(crate) fn fetch(
    names: &[&str],
    extent: Extent,
    cache: &Path,
    there: &dyn Fn() -> bool,
    say: impl FnOnce(),
) -> Result<(), String> {
    let (apt, dpkg) =
        shell::which("apt-get").zip(shell::which("dpkg-deb")).ok_or("apt-get and dpkg-deb are not here")?;
    say();
    let fresh = cache.with_extension(shell::random_hex(4)?);
    let fetched = download(names, extent, &apt, &fresh).and_then(|packages| {
        for package in packages {
            let line = [Path::new("-x").as_os_str(), package.as_os_str(), fresh.join("root").as_os_str()]
                .map(ToOwned::to_owned);
            finish(Command::new(&dpkg).args(line))?;
        }
        Ok(())
    });
    if fetched.is_ok() && !there() {
        drop(std::fs::remove_dir_all(cache));
        drop(std::fs::rename(fresh.join("root"), cache));
    }
    drop(std::fs::remove_dir_all(&fresh));
    fetched
}

/// Where this machine's own lists of packages are too old or not there, with lists of our own.
fn download(names: &[&str], extent: Extent, apt: &Path, fresh: &Path) -> Result<Vec<PathBuf>, String> {
    let (folder, state) = (fresh.join("packages"), fresh.join("apt"));
    for directory in [&folder, &state.join("lists/partial"), &state.join("cache/archives/partial")] {
        std::fs::create_dir_all(directory).map_err(|e| shell::explain(&e.to_string()))?;
    }
    let ours = [
        format!("Dir::State::Lists={}", state.join("lists").display()),
        format!("Dir::Cache={}", state.join("cache").display()),
        "Debug::NoLocking=1".to_owned(),
    ];
    let ask = |options: &[String]| {
        let options: Vec<String> = options.iter().flat_map(|option| ["-o".to_owned(), option.clone()]).collect();
        let download = |names: &[&str]| {
            finish(Command::new(apt).args(&options).args(["-qq", "download"]).args(names).current_dir(&folder))
        };
        if extent == Extent::Alone {
            return download(names);
        }
        let plan = finish(
            Command::new(apt).args(&options).args(["-qq", "-s", "--no-install-recommends", "install"]).args(names),
        )?;
        download(&wanted(&plan))
    };
    ask(&[]).or_else(|_| {
        let options = ours.iter().flat_map(|option| ["-o", option]);
        finish(Command::new(apt).args(options).args(["-qq", "update"]))?;
        ask(&ours)
    })?;
    let files = std::fs::read_dir(&folder).map_err(|e| e.to_string())?.flatten().map(|entry| entry.path());
    Ok(files.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).collect())
}

/// The packages of apt's plan, without those that only builds need.
fn wanted(plan: &str) -> Vec<&str> {
    let names = plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next());
    names.filter(|name| !name.ends_with("-dev")).collect()
}

/// What it printed, or its last words as an error.
fn finish(command: &mut Command) -> Result<String, String> {
    let output = shell::run(command.env("LC_ALL", "C"), LIMIT)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{}: {}", command.get_program().display(), shell::last_words(&output)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_apts_plan_what_is_installed_counts() {
        let plan = "Inst libyajl2 (2.1.0-3 Debian:12.15/oldstable [amd64])\nInst libmodsecurity-dev (3.0.9-1 Debian [amd64])\n\
                    Inst nginx (1.22.1-9 Debian [amd64])\nConf nginx (1.22.1-9 Debian [amd64])\n";
        assert_eq!(wanted(plan), ["libyajl2", "nginx"]);
    }
}

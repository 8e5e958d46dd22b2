//! Where the edge's programs are: on this machine, or out of Debian's packages, fetched by apt and unpacked under `target/`, without being root and
//! without installing anything. Their authenticity is apt's business, as with any package of the distribution.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::under;
use crate::shell;

/// What is asked for. What these need comes with them.
const PACKAGES: [&str; 3] = ["nginx", "libnginx-mod-http-modsecurity", "modsecurity-crs"];
/// A few megabytes over a slow line, and the lists of packages before them.
const LIMIT: Duration = Duration::from_mins(3);

const NGINX: &str = "usr/sbin/nginx";
const MODULE: &str = "usr/lib/nginx/modules/ngx_http_modsecurity_module.so";
const RULES: &str = "usr/share/modsecurity-crs/rules";
const MAPPING: &str = "etc/nginx/unicode.mapping";

/// nginx, `ModSecurity` and the Core Rule Set.
#[derive(Debug, Clone)]
pub struct Software {
    pub(super) nginx: PathBuf,
    pub(super) module: PathBuf,
    /// The folder of the Core Rule Set's rules.
    pub rules: PathBuf,
    pub(super) mapping: PathBuf,
    /// Where libraries are that this machine has not installed.
    pub(super) libraries: Vec<PathBuf>,
}

impl Software {
    /// From this machine, or fetched now.
    ///
    /// # Errors
    ///
    /// Neither: why.
    pub fn bring(work_dir: &Path, say: fn(&str)) -> Result<Self, String> {
        let cache = cache(work_dir)?;
        let found = Self::of(&[Path::new("/")]).or_else(|_| Self::of(&[&cache, Path::new("/")]));
        found.or_else(|reason| {
            fetch(&cache, say).map_err(|why| format!("{reason}; {why}"))?;
            Self::of(&[&cache, Path::new("/")])
        })
    }

    fn of(roots: &[&Path]) -> Result<Self, String> {
        let find = |file: &str| {
            let missing = format!("{file} is not here (apt-get install {})", PACKAGES.join(" "));
            under(roots, file).ok_or(missing)
        };
        let mut libraries = Vec::new();
        for root in roots.iter().filter(|root| **root != Path::new("/")) {
            let folder = root.join("usr/lib");
            let inside = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
            // Debian has a folder for each architecture.
            libraries.extend(inside.filter(|path| path.to_string_lossy().contains("-linux-")));
        }
        Ok(Self { nginx: find(NGINX)?, module: find(MODULE)?, rules: find(RULES)?, mapping: find(MAPPING)?, libraries })
    }
}

/// What would be used here, or why nothing can be, without fetching anything.
pub fn survey(work_dir: &Path) -> Result<String, String> {
    let cache = cache(work_dir)?;
    let found = Software::of(&[Path::new("/")]).or_else(|_| Software::of(&[&cache, Path::new("/")]));
    match (found, shell::which("apt-get"), shell::which("dpkg-deb")) {
        (Ok(software), ..) => Ok(format!("{} with {}", software.nginx.display(), software.rules.display())),
        (Err(_), Some(_), Some(_)) => Ok("Debian's packages would be fetched with apt-get".to_owned()),
        (Err(reason), ..) => Err(reason),
    }
}

fn cache(work_dir: &Path) -> Result<PathBuf, String> {
    Ok(std::path::absolute(work_dir).map_err(|e| e.to_string())?.join("edge-debian"))
}

/// Into the cache: beside it, and renamed, so that two at once do not see each other's half.
fn fetch(cache: &Path, say: fn(&str)) -> Result<(), String> {
    let (apt, dpkg) =
        shell::which("apt-get").zip(shell::which("dpkg-deb")).ok_or("apt-get and dpkg-deb are not here")?;
    say(&format!(
        "fetching nginx, ModSecurity and the Core Rule Set: Debian's packages (once; 2 MB into {})",
        cache.display()
    ));
    let fresh = cache.with_extension(shell::random_hex(4)?);
    let fetched = download(&apt, &fresh).and_then(|packages| {
        for package in packages {
            let line = [Path::new("-x").as_os_str(), package.as_os_str(), fresh.join("root").as_os_str()]
                .map(ToOwned::to_owned);
            finish(Command::new(&dpkg).args(line))?;
        }
        Ok(())
    });
    // Unless another one was first: theirs is as good, and in use. What is there and not enough is of an earlier distribution.
    if fetched.is_ok() && Software::of(&[cache, Path::new("/")]).is_err() {
        drop(std::fs::remove_dir_all(cache));
        drop(std::fs::rename(fresh.join("root"), cache));
    }
    drop(std::fs::remove_dir_all(&fresh));
    fetched
}

/// The packages that this machine has not installed. Where its own lists of packages are too old or not there, with lists of our own.
fn download(apt: &Path, fresh: &Path) -> Result<Vec<PathBuf>, String> {
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
        let plan = finish(
            Command::new(apt).args(&options).args(["-qq", "-s", "--no-install-recommends", "install"]).args(PACKAGES),
        )?;
        let names = wanted(&plan);
        finish(Command::new(apt).args(&options).args(["-qq", "download"]).args(names).current_dir(&folder))
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

    #[test]
    fn a_machine_without_them_is_told_what_to_install() {
        let error = Software::of(&[&std::env::temp_dir().join("redoubt-nothing-is-here")]).unwrap_err();
        assert!(error.contains("apt-get install nginx libnginx-mod-http-modsecurity modsecurity-crs"), "{error}");
    }
}

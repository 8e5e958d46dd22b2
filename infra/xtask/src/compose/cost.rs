//! `cargo xtask bench compose`: what the system in containers takes, in time, disk and memory. A project of its own, which goes.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;
use system::system;

use super::engine::{Engine, said};
use super::system::{build, of_its_own, remove, start};
use crate::{interrupt, place};

const MIB: f64 = 1024.0 * 1024.0;
/// After which nobody is busy with having started.
const IDLE: Duration = Duration::from_secs(30);
/// What is given one line more, for the time that building it takes.
const CHANGED: &str = "services/ledger/src/main.rs";
/// The base of the images that are made without pulling any.
const OFFLINE_BASE: &str = "redoubt/debian:offline";

pub(crate) fn cost(offline: bool) -> Result<()> {
    Engine::check()?;
    let engine = of_its_own("bench", offline)?;
    let measured = measure(&engine);
    let removed = remove(&engine);
    measured.and(removed)
}

fn measure(engine: &Engine) -> Result<()> {
    let built = timed(|| build(engine).map(drop))?;
    let first = timed(|| start(engine))?;
    engine.ask(&["stop"])?;
    let warm = timed(|| start(engine))?;
    interrupt::wait(Some(IDLE), || Ok(None::<()>))?;
    let memory = memory(engine)?;
    let changed = Changed::by_a_line()?;
    let again = timed(|| build(engine).and_then(|_| start(engine)))?;
    drop(changed);
    println!();
    for line in images(engine)? {
        println!("{line}");
    }
    println!("\nimages, from what is built already   {built:>6.1} s");
    println!("`up`, nothing stored yet             {first:>6.1} s until all are healthy");
    println!("`up`, warm                           {warm:>6.1} s until all are healthy");
    println!("a line changed in the ledger         {again:>6.1} s until it serves");
    println!(
        "memory of the idle system            {:>6.0} MiB",
        memory.iter().map(|(_, bytes)| bytes / MIB).sum::<f64>()
    );
    for (name, bytes) in memory {
        println!("  {name:<12} {:>6.1} MiB", bytes / MIB);
    }
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    interrupt::check()?;
    Ok(began.elapsed().as_secs_f64())
}

/// A line for each image of ours, with what it has beside its base.
fn images(engine: &Engine) -> Result<Vec<String>> {
    let config: Value = serde_json::from_str(&engine.ask(&["config", "--format", "json"])?)?;
    let of = |service: &str, pointer: &str| {
        config.pointer(&format!("/services/{service}/{pointer}")).and_then(Value::as_str).map(str::to_owned)
    };
    let base =
        if engine.offline { OFFLINE_BASE.to_owned() } else { of("gate", "build/args/DEBIAN").context("no base")? };
    let below = size(&base)?;
    let mut lines = vec![format!("images, beside {base} ({:.0} MiB):", below / MIB)];
    let services = system()?.services.iter().map(|service| (service.name.as_str(), service.name.as_str()));
    for (service, name) in services.chain([("gate", "tools")]) {
        let image = of(service, "image").with_context(|| format!("{service} has no image"))?;
        lines.push(format!("  {name:<12} {:>6.1} MiB", (size(&image)? - below) / MIB));
    }
    Ok(lines)
}

fn size(image: &str) -> Result<f64> {
    let size = said(Command::new("docker").args(["image", "inspect", "--format", "{{.Size}}", image]));
    Ok(size.map_err(|words| anyhow!("docker image inspect {image}: {words}"))?.parse()?)
}

/// What each container holds, as Docker counts: without what the kernel would give back.
fn memory(engine: &Engine) -> Result<Vec<(String, f64)>> {
    let mut found = Vec::new();
    for name in engine.ask(&["ps", "--services"])?.lines() {
        let container = engine.container(name)?;
        let line = ["stats", "--no-stream", "--format", "{{.MemUsage}}", &container];
        let usage = said(Command::new("docker").args(line)).map_err(|words| anyhow!("docker stats: {words}"))?;
        found.push((name.to_owned(), bytes(&usage).with_context(|| format!("{name} holds {usage}"))?));
    }
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    Ok(found)
}

/// `12.3MiB / 256MiB`: the first of the two.
fn bytes(usage: &str) -> Option<f64> {
    let word = usage.split('/').next()?.trim();
    let unit = word.find(|letter: char| letter.is_alphabetic())?;
    let (number, unit) = word.split_at_checked(unit)?;
    let factor = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => MIB,
        "GiB" => 1024.0 * MIB,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// A source that has a line more, until this value goes.
struct Changed {
    path: PathBuf,
    before: String,
    after: String,
}

impl Changed {
    fn by_a_line() -> Result<Self> {
        Self::of(place::root().join(CHANGED))
    }

    fn of(path: PathBuf) -> Result<Self> {
        let before = std::fs::read_to_string(&path)?;
        let after = format!("{before}// {}\n", std::process::id());
        std::fs::write(&path, &after)?;
        Ok(Self { path, before, after })
    }

    /// What somebody else has written meanwhile stays.
    fn restore(&self) -> Result<()> {
        ensure!(std::fs::read_to_string(&self.path)? == self.after, "somebody has changed it meanwhile");
        Ok(std::fs::write(&self.path, &self.before)?)
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            crate::say::failure(&format!("{CHANGED} has a line `// {}` too many: {error}", std::process::id()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_of_memory_is_read_in_every_unit() {
        assert_eq!(bytes("0B / 0B"), Some(0.0));
        assert_eq!(bytes("512KiB / 256MiB"), Some(512.0 * 1024.0));
        assert_eq!(bytes("12.5MiB / 256MiB"), Some(12.5 * MIB));
        assert_eq!(bytes("1GiB / 2GiB"), Some(1024.0 * MIB));
        assert_eq!((bytes("--"), bytes("3 apples / 4"), bytes("")), (None, None, None));
    }

    #[test]
    fn a_changed_source_is_as_before_unless_somebody_else_has_written_it() {
        let path = std::env::temp_dir().join(format!("redoubt-changed-{}", std::process::id()));
        std::fs::write(&path, "one\n").unwrap();
        drop(Changed::of(path.clone()).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        let changed = Changed::of(path.clone()).unwrap();
        std::fs::write(&path, "two\n").unwrap();
        drop(changed);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::remove_file(&path).unwrap();
    }
}

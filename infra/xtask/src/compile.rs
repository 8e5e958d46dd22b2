//! Building the programs that are then run.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::process::{Run, Task};
use crate::stop::Stop;
use crate::{place, preflight, say};

/// Paths of built programs, by name.
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).ok_or_else(|| anyhow!("the build made no program `{name}`"))
    }
}

impl Programs {
    /// Those that stand in one directory, built by somebody else.
    pub(crate) fn in_directory(directory: &Path, names: &[&str]) -> Self {
        Self(names.iter().map(|&name| (name.to_owned(), directory.join(name))).collect())
    }
}

/// Builds with one visible line and cargo's own progress.
pub(crate) fn build(run: &mut Run, what: &str, arguments: &[String]) -> Result<Programs> {
    preflight::run()?;
    let began = Instant::now();
    say::line(&format!("building {what} …"));
    let arguments: Vec<String> = ["build".to_owned()].iter().chain(arguments).cloned().collect();
    let told = cargo(run, &arguments)?;
    println!("built in {:.1} s", began.elapsed().as_secs_f64());
    Ok(Programs(told.iter().filter_map(|line| executable(line)).collect()))
}

/// What cargo says of all that it has built, a message a line. The first word of `arguments` is its command.
pub(crate) fn cargo(run: &mut Run, arguments: &[String]) -> Result<Vec<String>> {
    let (command, rest) = arguments.split_first().ok_or_else(|| anyhow!("cargo is asked for nothing"))?;
    let with = ["--locked", "--message-format=json-render-diagnostics"].map(str::to_owned);
    let line: Vec<String> = std::iter::once(command).chain(&with).chain(rest).cloned().collect();
    let task = Task { piped: true, directory: Some(&place::root()), ..Task::default() };
    let number = run.begin_task("cargo", Path::new("cargo"), &line, &task)?;
    let messages = BufReader::new(run.output_of(number)?);
    let reader = std::thread::spawn(move || messages.lines().collect::<Result<Vec<String>, _>>());
    let status = run.end_task(number)?;
    if !status.success() {
        let reason =
            preflight::explain_build().unwrap_or_else(|| "the build failed; its first error is above".to_owned());
        return Err(Stop::Failed(1, reason).into());
    }
    let messages = reader.join().map_err(|_| anyhow!("whoever reads cargo's messages has panicked"))?;
    messages.context("cargo's messages cannot be read")
}

/// Name and path out of one of cargo's messages.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_cargos_messages() {
        let line =
            r#"{"reason":"compiler-artifact","target":{"name":"story","kind":["bin"]},"executable":"/t/debug/story"}"#;
        assert_eq!(executable(line), Some(("story".to_owned(), PathBuf::from("/t/debug/story"))));
        assert_eq!(executable(r#"{"reason":"compiler-artifact","target":{"name":"api"},"executable":null}"#), None);
        assert_eq!(executable("not json"), None);
    }
}

//! `cargo xtask new-service NAME`: one more service, and its name wherever a service is named.
//!
//! What it writes stands in `templates/service`: whole files, and the places in others. Nothing is half done: all texts are made before the first is
//! written ([`plan`]), and what could not be written to its end is taken back.

mod edits;
mod name;
mod plan;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::stop::Stop;
use crate::{check, commands, place, say};
use plan::Change;

pub(crate) fn run(words: &[String]) -> Result<()> {
    let (name, dry) = wanted(words)?;
    let changes = plan::plan(name, &check::files()?)?;
    untouched(&place::root(), &changes)?;
    if !dry {
        write(&place::root(), &changes)?;
    }
    for Change { path, before, .. } in &changes {
        println!("{} {path}", if before.is_some() { "changed" } else { "new    " });
    }
    if dry {
        say::line("nothing is written: that was `--dry-run`");
        return Ok(());
    }
    // Lines have other lengths, and names another order.
    let mut format = Command::new("cargo");
    format.args(["fmt", "--package", name, "--package", "api"]).current_dir(place::root()).stdin(Stdio::null());
    ensure!(format.status()?.success(), "all is written, but `cargo fmt` failed, see above");
    println!("\nnext:");
    println!("  cargo xtask check --fix   what programs write of it; then all rules");
    println!("  cargo xtask test -p {name}");
    println!("  cargo xtask up            it runs beside the others");
    println!("docs/guides/add-a-service.md goes on from there");
    Ok(())
}

/// The name, and whether nothing is to be written.
fn wanted(words: &[String]) -> Result<(&str, bool)> {
    let usage = |text: &str| {
        let help = commands::Command::NewService.help();
        Err(Stop::Usage(format!("{text}\n\n{help}")).into())
    };
    let (mut name, mut dry) = (None, false);
    for word in words {
        match word.as_str() {
            "--dry-run" => dry = true,
            word if name.is_none() && !word.starts_with('-') => name = Some(word),
            other => return usage(&format!("`new-service` does not know `{other}`")),
        }
    }
    name.map_or_else(|| usage("a new service of what name?"), |name| Ok((name, dry)))
}

/// What would be changed is as it was committed, so that the change can be seen by itself and undone; what is new is not there, known to git or not.
fn untouched(root: &Path, changes: &[Change]) -> Result<()> {
    if let Some(there) = changes.iter().find(|change| change.before.is_none() && root.join(&change.path).exists()) {
        return Err(Stop::Failed(1, format!("{} is there already: nothing was written", there.path)).into());
    }
    let paths = changes.iter().filter(|change| change.before.is_some()).map(|change| &change.path);
    // A tree without git has nothing to go back to.
    if !root.join(".git").exists() {
        return Ok(());
    }
    let mut git = Command::new("git");
    git.args(["status", "--porcelain", "--"]).args(paths).current_dir(root).stdin(Stdio::null());
    let said = git.output().context("nothing was written: git does not say what has changed")?;
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        let why = format!("nothing was written: git does not say what has changed ({why})");
        return Err(Stop::Failed(1, why).into());
    }
    let status = String::from_utf8_lossy(&said.stdout);
    let files: Vec<&str> = status.lines().filter_map(|line| line.get(3..)).collect();
    if files.is_empty() {
        return Ok(());
    }
    let files = files.join(", ");
    Err(Stop::Failed(1, format!("nothing was written: commit what has changed in {files}, so that this can be undone"))
        .into())
}

/// All of it, or nothing.
fn write(root: &Path, changes: &[Change]) -> Result<()> {
    for (done, change) in changes.iter().enumerate() {
        if let Err(error) = change.write(root) {
            let undone = changes.iter().take(done + 1).map(|change| (change, change.undo(root)));
            let left: Vec<&str> =
                undone.filter(|(_, undone)| undone.is_err()).map(|(change, _)| change.path.as_str()).collect();
            return Err(error).context(match left.as_slice() {
                [] => "what had been written is taken back".to_owned(),
                left => format!("what had been written is taken back, but for {}", left.join(", ")),
            });
        }
    }
    Ok(())
}

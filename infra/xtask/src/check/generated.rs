//! Files that a program writes: each service's `openapi.json`. What stands in the tree must be what the program says now.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use system::{Service, system};

use super::Complaints;
use crate::process::Run;
use crate::{compile, place, stack};

pub(super) fn run(fix: bool) -> Result<Complaints> {
    let mut run = Run::of("check")?;
    let programs = compile::build(&mut run, "the services, for what they generate", &stack::programs()?)?;
    let mut complaints = Vec::new();
    for Service { name, .. } in &system()?.services {
        let file = place::root().join("services").join(name).join("openapi.json");
        let output = Command::new(programs.path(name)?).arg("openapi").stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "`{name} openapi` failed");
        let text = String::from_utf8(output.stdout)?;
        if fix {
            std::fs::write(&file, &text)?;
        }
        complaints.extend(compare(&file, &text));
    }
    Ok(complaints)
}

fn compare(file: &Path, text: &str) -> Option<String> {
    let stands = std::fs::read_to_string(file).ok();
    let verdict = match stands {
        Some(stands) if stands.trim_end() == text.trim_end() => return None,
        Some(_) => "is not what the program says now",
        None => "is missing",
    };
    Some(format!("{} {verdict}: `cargo xtask check --fix` writes it", place::short(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_and_a_missing_one_are_named() {
        let file = std::env::temp_dir().join(format!("redoubt-generated-{}.json", std::process::id()));
        assert!(compare(&file, "{}").unwrap().contains("is missing"));
        std::fs::write(&file, "{}\n").unwrap();
        assert_eq!(compare(&file, "{}"), None);
        assert!(compare(&file, "{\"a\":1}").unwrap().contains("--fix"));
        std::fs::remove_file(&file).unwrap();
    }
}

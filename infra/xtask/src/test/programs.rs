//! The test programs, as cargo builds and names them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One test program: what it is called, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Of its package. Cargo runs it there, and some look for it in `CARGO_MANIFEST_DIR`.
    pub(super) directory: PathBuf,
    /// Integration tests take the longest: they begin first, so that none is left alone at the end.
    pub(super) long: bool,
}

/// The program that a line of `cargo test --no-run --message-format=json` tells of, if it tells of one.
pub(super) fn told(line: &str, arguments: &[String]) -> Result<Option<Program>> {
    let message: Value = serde_json::from_str(line).with_context(|| format!("cargo said what is no JSON: {line}"))?;
    let Some(path) = message.get("executable").and_then(Value::as_str) else { return Ok(None) };
    if message.pointer("/profile/test") != Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let manifest = message.get("manifest_path").and_then(Value::as_str).context("a program of no package")?;
    let directory = Path::new(manifest).parent().context("a package of no directory")?;
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).context("a program of no target");
    let kind = text("/target/kind/0")?;
    let package = directory.file_name().context("a package in the root of the disk")?.to_string_lossy();
    let name = format!("{package}: {} ({kind})", text("/target/name")?);
    let long = kind == "test";
    let (path, directory, arguments) = (path.into(), directory.to_owned(), arguments.to_vec());
    Ok(Some(Program { name, path, arguments, directory, long }))
}

/// Options of cargo that are followed by their value.
const VALUED: [&str; 19] = [
    "-p",
    "--package",
    "--exclude",
    "--test",
    "--bin",
    "--example",
    "--bench",
    "-F",
    "--features",
    "-j",
    "--jobs",
    "--profile",
    "--target",
    "--target-dir",
    "--manifest-path",
    "--color",
    "--config",
    "-Z",
    "--lockfile-path",
];

/// What was asked of cargo and what of the test programs: what stands behind `--`, and a name of tests before it (`cargo test TESTNAME`).
pub(super) fn split(arguments: &[String]) -> (Vec<String>, Vec<String>) {
    let mut halves = arguments.splitn(2, |argument| argument == "--").map(<[String]>::to_vec);
    // Default: nothing was said to them.
    let (before, mut harness) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let (mut cargo, mut is_value) = (Vec::new(), false);
    for argument in before {
        if is_value || argument.starts_with('-') {
            is_value = !is_value && VALUED.contains(&argument.as_str());
            cargo.push(argument);
        } else {
            harness.insert(0, argument);
        }
    }
    (cargo, harness)
}

/// Whether somebody chose among the targets. Nobody did: the examples in documentation are tests, too.
pub(super) fn chosen(cargo: &[String]) -> bool {
    let targets = ["--lib", "--bin", "--bins", "--test", "--tests", "--example", "--examples", "--bench", "--benches"];
    let is_target = |argument: &str| argument == "--all-targets" || targets.contains(&argument);
    cargo.iter().any(|argument| is_target(argument.split('=').next().unwrap_or(argument))) // Default: as it is
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn cargos_word_on_a_test_program_is_understood_and_other_words_are_none() {
        let built = r#"{"reason":"compiler-artifact","manifest_path":"/w/services/ledger/Cargo.toml","target":{"kind":["test"],"name":"it"},
            "profile":{"test":true},"executable":"/w/target/debug/deps/it-1"}"#;
        let program = told(built, &words("money")).unwrap().unwrap();
        assert_eq!((program.name.as_str(), program.long), ("ledger: it (test)", true));
        assert_eq!(program.directory, Path::new("/w/services/ledger"));
        assert_eq!(
            (program.path.as_path(), program.arguments),
            (Path::new("/w/target/debug/deps/it-1"), words("money"))
        );
        for other in [
            r#"{"reason":"build-finished","success":true}"#,
            r#"{"reason":"compiler-artifact","executable":null,"profile":{"test":true}}"#,
            r#"{"reason":"compiler-artifact","executable":"/w/xtask","profile":{"test":false}}"#,
        ] {
            assert_eq!(told(other, &[]).unwrap(), None);
        }
        assert!(told("warning: what", &[]).is_err());
        assert!(told(&built.replace("manifest_path", "other"), &[]).is_err());
    }

    #[test]
    fn what_is_behind_the_dashes_is_the_programs_and_a_target_is_a_choice() {
        assert_eq!(split(&words("-p ledger -- money -- x")), (words("-p ledger"), words("money -- x")));
        assert_eq!(split(&words("-p ledger")), (words("-p ledger"), vec![]));
        let named = split(&words("-p ledger --test it money --features=a -- --nocapture"));
        assert_eq!(named, (words("-p ledger --test it --features=a"), words("money --nocapture")));
        assert!(chosen(&words("-p ledger --test it")) && chosen(&words("--test=it")) && chosen(&words("--lib")));
        assert!(!chosen(&words("-p tests --features lib")));
    }
}

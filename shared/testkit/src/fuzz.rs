//! A fuzzer that nobody here wrote (schemathesis) holds what a running service answers against its `openapi.json`. How it speaks to the service stands beside
//! the service: `tests/contract/schemathesis.toml` and `tests/contract/SERVICE_hooks.py`, for what no schema can say.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::{missing, tools};

/// What is fuzzed, and how it is reached.
#[derive(Debug, Clone, Copy)]
pub struct Fuzzed<'a> {
    /// The service whose document it is.
    pub service: &'static str,
    /// The tests' folder, for the programs that are fetched.
    pub place: &'static str,
    /// Where its public listener, or a proxy before it, is reached.
    pub url: &'a str,
    /// What the hooks are told.
    pub environment: &'a [(&'a str, String)],
    /// Further arguments of `schemathesis run`.
    pub arguments: &'a [String],
}

/// How long all of it may take: less than whoever waits for the tests.
const PATIENCE: Duration = Duration::from_mins(10);

/// Fuzzes every operation of the document. `false` after a complaint that nobody overlooks: the fuzzer cannot be had.
///
/// # Panics
///
/// It found something, and its report says what; or it has not asked every operation.
pub async fn holds(fuzzed: Fuzzed<'_>) -> bool {
    let place = Path::new(fuzzed.place);
    let got = tokio::task::spawn_blocking(move || tools::schemathesis(place)).await.map_err(|error| error.to_string());
    let folder = match got.and_then(|got| got) {
        Ok(folder) => folder,
        Err(reason) => {
            missing::may_be_missing("Python's schemathesis", "REDOUBT_PIP_WAIVED", &reason);
            return false;
        }
    };
    let service = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services").join(fuzzed.service);
    let files = service.join("tests/contract");
    let mut path = folder.into_os_string();
    path.push(":");
    path.push(&files);
    let mut program = Command::new("python3");
    program.args(["-m", "schemathesis.cli", "--config-file"]).arg(files.join("schemathesis.toml")).arg("run");
    program.arg(service.join("openapi.json")).args(["--url", fuzzed.url.trim_end_matches('/'), "--no-color"]);
    program.args(fuzzed.arguments).env("PYTHONPATH", path).current_dir(place);
    program.envs(fuzzed.environment.iter().map(|(name, value)| (*name, value)));
    let report = tools::said_within(program, PATIENCE).await;
    let document = document(&service.join("openapi.json"));
    let held = report.is_ok();
    let (Ok(text) | Err(text)) = report;
    let all = document.as_ref().map(counted);
    assert!(
        held && all.as_ref().is_ok_and(|all| text.contains(&format!("{all} selected / {all} total"))),
        "{all:?}: {text}"
    );
    let leads = document.is_ok_and(|document| document.to_string().contains("\"links\":{"));
    assert_eq!(leads, followed(&text) > 0, "links of the document are followed: {text}");
    true
}

/// How many kinds of links it has gone along, from an answer to the next request.
fn followed(report: &str) -> usize {
    let counts = report.lines().find_map(|line| line.trim().strip_prefix("API Links:"));
    let covered = counts.and_then(|counts| counts.split_whitespace().next()?.parse().ok());
    // Default: it says nothing of links where there are none.
    covered.unwrap_or(0)
}

/// How many operations a document has.
///
/// # Errors
///
/// It is none.
pub fn operations(path: &Path) -> Result<usize, String> {
    document(path).map(|document| counted(&document))
}

fn document(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let document: Value = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    if document.get("paths").is_none_or(|paths| !paths.is_object()) {
        return Err(format!("{}: a document without paths", path.display()));
    }
    Ok(document)
}

fn counted(document: &Value) -> usize {
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    let keys = paths.filter_map(|(_, path)| path.as_object()).flat_map(|path| path.keys());
    keys.filter(|key| methods.contains(&key.as_str())).count()
}

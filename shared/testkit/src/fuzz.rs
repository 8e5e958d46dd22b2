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
    let asked = operations(&service.join("openapi.json")).map(|all| format!("{all} selected / {all} total"));
    let held = report.as_ref().is_ok_and(|report| asked.as_ref().is_ok_and(|asked| report.contains(asked)));
    let (Ok(text) | Err(text)) = report;
    assert!(held, "{asked:?}: {text}");
    true
}

/// How many operations a document has.
///
/// # Errors
///
/// It is none.
pub fn operations(document: &Path) -> Result<usize, String> {
    let text = std::fs::read(document).map_err(|error| format!("{}: {error}", document.display()))?;
    let document: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let paths = document.get("paths").and_then(Value::as_object).ok_or("a document without paths")?;
    let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let keys = paths.values().filter_map(Value::as_object).flat_map(|path| path.keys());
    Ok(keys.filter(|key| methods.contains(&key.as_str())).count())
}

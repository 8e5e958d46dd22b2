//! A package of Python's index beside what we have written: fetched by the ordinary client, version and checksum pinned, into a folder of its own
//! under `target/`.
//!
//! Where Python, pip or the index is missing, a test says so, loudly, and proves nothing; where `CI` is `true` it fails, unless somebody has
//! set `REDOUBT_PIP_WAIVED`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What the test is about, by checksum, and what is nothing but Python: lines of `requirements.txt`.
    pub(crate) pinned: &'static str,
    /// What it computes with: another file for each machine and each Python, so by version only.
    pub(crate) compiled: &'static str,
}

impl Package {
    /// What the script says of each of the cases; nothing where the package cannot be had.
    pub(crate) fn judges(&self, script: &str, cases: &Value) -> Option<Vec<Value>> {
        let folder = match self.fetched() {
            Ok(folder) => folder,
            Err(reason) => {
                let what = format!("Python's {}", self.name);
                testkit::missing::may_be_missing(&what, "REDOUBT_PIP_WAIVED", &reason);
                return None;
            }
        };
        let mut python = Command::new("python3")
            .args(["-I", script])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It reads all of it before it says anything.
        python.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
        let Output { status, stdout, stderr } = python.wait_with_output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        Some(serde_json::from_slice(&stdout).unwrap())
    }

    /// The folder that has the package and what it needs, for this Python.
    fn fetched(&self) -> Result<PathBuf, String> {
        let name = format!("{}-{}", self.name, self.version);
        testkit::tools::python(Path::new(env!("CARGO_TARGET_TMPDIR")), &name, self.pinned, self.compiled)
    }
}

//! The behavior analytics from outside: the service on real sockets with a real database, the command, and on a published data set the quality that
//! they reach.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

mod batch;
mod command;
mod decisions;
mod desk;
// What drives a browser stands once, beside the login pages' tests.
#[path = "../../../auth/tests/relying_party/drivers.rs"]
mod drivers;
mod dry_run;
mod events;
mod labels;
mod migrations;
#[path = "../../../auth/tests/relying_party/npm.rs"]
mod npm;
mod places;
mod quality;
mod rebuild;
mod retention;
mod roles;
mod service;
mod signals;
mod story;
mod takeover;
mod training;
mod world;

/// `behaviorctl` with these arguments.
fn behaviorctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_behaviorctl")).args(arguments).output().unwrap()
}

/// What a call that ended well printed.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An empty folder of this test's own.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("behavior-{name}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file of the service.
fn own(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file).to_str().unwrap().to_owned()
}

/// The published payments; nothing after a complaint that nobody overlooks. `REDOUBT_DATA` names the folder, `REDOUBT_DATA_WAIVED` goes without.
fn payments() -> Option<String> {
    const FILE: &str = "card-transactions.csv.gz";
    let folder = testkit::missing::outside("published card payments", "REDOUBT_DATA", "data", FILE)?;
    Some(folder.join(FILE).to_str().unwrap().to_owned())
}

//! Redocly's recommended rules over the documents of all services. Without node and npm this says, loudly, that it proves nothing; where `CI` is `true` it fails,
//! unless `REDOUBT_NPM_WAIVED` is set.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::missing::may_be_missing;
use testkit::tools;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contract/redocly.yaml");

/// Every document that is committed: one of each service for the inside, and one for the world where it is reached from there.
fn documents() -> Vec<PathBuf> {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services");
    let of_each = system::system().unwrap().services.iter().flat_map(|service| {
        let public = service.public.map(|_| "openapi.json");
        public.into_iter().chain(["openapi.internal.json"]).map(|name| services.join(&service.name).join(name))
    });
    of_each.collect()
}

fn lint(readers: &Path, files: &[PathBuf]) -> Result<String, String> {
    let mut node = Command::new("node");
    node.arg(readers.join("node_modules/@redocly/cli/bin/cli.js"))
        .args(["lint", "--config", RULES, "--format", "stylish"]);
    node.args(files).envs([("REDOCLY_TELEMETRY", "off"), ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")]);
    tools::said(&mut node)
}

#[test]
fn redocly_finds_no_fault_in_any_document_and_finds_one_where_there_is_one() {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let readers = match tools::contract_readers(place) {
        Ok(readers) => readers,
        Err(reason) => return may_be_missing("npm's @redocly/cli", "REDOUBT_NPM_WAIVED", &reason),
    };
    let files = documents();
    assert!(files.len() >= 8, "{files:?}");
    lint(&readers, &files).unwrap();
    // The same without the schema that all refusals have.
    let text = std::fs::read_to_string(files.first().unwrap()).unwrap();
    let broken = place.join(format!("{}.json", crypto::random::token(9)));
    std::fs::write(&broken, text.replace("\"Problem\": {", "\"Trouble\": {")).unwrap();
    let report = lint(&readers, std::slice::from_ref(&broken)).unwrap_err();
    std::fs::remove_file(broken).unwrap();
    assert!(report.contains("no-unresolved-refs"), "{report}");
}

//! Where the genuine evidence is, and how its files are read.
//!
//! Nobody here made these files; they are not copied into the project. Without them the tests that need them say so, loudly, and
//! prove nothing; where `CI` is `true` they fail, unless somebody has set `REDOUBT_VECTORS_WAIVED`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The folder, or `None` after a complaint that nobody overlooks.
pub(crate) fn root() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment where the evidence is")]
    let configured = std::env::var_os("REDOUBT_VECTORS").map(PathBuf::from);
    let root = configured.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"));
    if root.join("keyattestation").is_dir() {
        return Some(root);
    }
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment whether it may prove nothing")]
    let (ci, waived) = (std::env::var("CI").ok(), std::env::var_os("REDOUBT_VECTORS_WAIVED").is_some());
    assert!(
        may_prove_nothing(ci.as_deref(), waived),
        "no genuine device evidence at {} (set REDOUBT_VECTORS, or REDOUBT_VECTORS_WAIVED)",
        root.display()
    );
    // Not `eprintln!`, which a passing test keeps to itself.
    let complaint =
        format!("\n!!!!! NOT TESTED: no genuine device evidence at {} (set REDOUBT_VECTORS) !!!!!\n", root.display());
    std::io::stderr().write_all(complaint.as_bytes()).unwrap();
    None
}

/// A pipeline that is green without the evidence must have been told to be.
fn may_prove_nothing(ci: Option<&str>, waived: bool) -> bool {
    waived || ci != Some("true")
}

#[test]
fn in_ci_the_evidence_is_there_or_waived() {
    assert!(!may_prove_nothing(Some("true"), false));
    assert!(may_prove_nothing(Some("true"), true) && may_prove_nothing(Some("false"), false));
    assert!(may_prove_nothing(None, false));
}

/// The certificates of a PEM file, as DER, in the file's order.
pub(crate) fn pem(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(path).unwrap();
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|block| block.split("-----END").next().unwrap())
        .map(|body| STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap())
        .collect()
}

/// One of the numbered DER chains of `AttestationSamples`.
pub(crate) fn numbered(folder: &Path, prefix: &str) -> Option<Vec<Vec<u8>>> {
    let chain: Vec<_> =
        (0..4).map_while(|i| fs::read(folder.join(format!("{prefix}cert-{i}.der.x509"))).ok()).collect();
    (chain.len() == 4).then_some(chain)
}

/// Every Android chain that hardware has made, with its name.
pub(crate) fn android_chains() -> Vec<(String, Vec<Vec<u8>>)> {
    let Some(root) = root() else { return Vec::new() };
    let mut chains = Vec::new();
    // Not `marlin`, whose chains are of a software root.
    for device in ["akita/sdk34", "caiman/sdk36", "tokay/sdk37", "invalid"] {
        for path in listed(&root.join("keyattestation/testdata").join(device)) {
            if path.extension().is_some_and(|extension| extension == "pem") {
                chains.push((path.display().to_string(), pem(&path)));
            }
        }
    }
    for folder in listed(&root.join("AttestationSamples")).into_iter().chain(listed(&root.join("odd"))) {
        for prefix in ["", "strongbox-"] {
            let chain = numbered(&folder, prefix);
            chains.extend(chain.map(|chain| (format!("{} {prefix}", folder.display()), chain)));
        }
    }
    for folder in listed(&root.join("android-key-attestation/src/test/resources/pem")) {
        let chain = (0..4).flat_map(|at| pem(&folder.join(format!("cert{at}.pem")))).collect();
        chains.push((folder.display().to_string(), chain));
    }
    chains
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// JSON, also with the `//` line that one file begins with.
pub(crate) fn json(path: &Path) -> serde_json::Value {
    let text = fs::read_to_string(path).unwrap();
    let plain: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    serde_json::from_str(&plain).unwrap()
}

/// The scalar fields of the documents in one of devicecheck-appattest's YAML files.
pub(crate) fn documents(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    text.trim_start_matches("---\n")
        .split("\n---\n")
        .map(|document| {
            let scalars =
                document.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once(": "));
            scalars.map(|(key, value)| (key.to_owned(), value.trim_matches('\'').to_owned())).collect()
        })
        .collect()
}

/// `2020-11-21T22:13:00.187Z` as seconds.
pub(crate) fn seconds(timestamp: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(timestamp).unwrap().timestamp()
}

//! How the files of the genuine evidence are read. Nobody here made them; they are not copied into the project.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub(crate) use testkit::missing::vectors as root;

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

//! Manifests: everything that can be said once for the workspace is said once.

use super::Complaints;
use super::sources::Source;

/// Lines that every member has.
const INHERITED: [&str; 5] = [
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "publish.workspace = true",
];

pub(super) fn all(files: &[Source]) -> Complaints {
    let mut complaints = Vec::new();
    for file in files {
        if file.path == "Cargo.toml" {
            complaints.extend(root(&file.text));
        } else if file.path.ends_with("/Cargo.toml") {
            complaints.extend(member(&file.path, &file.text));
        } else if is_library(&file.path) && !file.text.contains("#![warn(missing_docs)]") {
            complaints.push(format!("{}: strangers build on it: `#![warn(missing_docs)]`", file.path));
        }
    }
    complaints
}

/// What is used by others than its own authors: its public names are documented, all of them.
fn is_library(path: &str) -> bool {
    (path.starts_with("shared/") || path.starts_with("mobile-sdk/")) && path.ends_with("/src/lib.rs")
}

fn member(path: &str, text: &str) -> Complaints {
    let mut complaints: Complaints = INHERITED
        .iter()
        .filter(|line| !text.lines().any(|have| have.trim() == **line))
        .map(|line| format!("{path}: `{line}` is missing"))
        .collect();
    let (mut section, mut lints) = ("", false);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[lints]" && line == "workspace = true" {
            lints = true;
        } else if section.trim_end_matches(']').ends_with("dependencies") && is_entry(line) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let compact = line.replace(' ', "");
            let inherits = compact.contains(".workspace=true")
                || compact.contains("workspace=true,")
                || compact.contains("workspace=true}");
            if !inherits {
                complaints.push(format!("{path}: {name} does not come from the workspace (`{name}.workspace = true`)"));
            }
        }
    }
    if !lints {
        complaints.push(format!("{path}: the workspace's lints are not in force (`[lints]`, `workspace = true`)"));
    }
    complaints
}

/// Each dependency says why it is there: in a comment above it or above the lines it stands among.
fn root(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    let (mut inside, mut explained) = (false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if line.is_empty() {
            explained = false;
        } else if line.starts_with("# ---") {
            // A heading explains nothing, but the workspace's own crates need no reason.
            explained = line.contains("ours");
        } else if line.starts_with('#') {
            explained = true;
        } else if inside && is_entry(line) && !explained {
            let name = line.split([' ', '=']).next().unwrap_or_default();
            complaints.push(format!("Cargo.toml: {name} has no comment that says why it is here"));
        }
    }
    if !text.lines().any(|line| line.trim() == "publish = false") {
        complaints.push("Cargo.toml: `publish = false` is missing in [workspace.package]".to_owned());
    }
    complaints
}

fn is_entry(line: &str) -> bool {
    line.contains('=') && line.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"x\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
        license.workspace = true\npublish.workspace = true\n\n[lints]\nworkspace = true\n\n[dependencies]\nserde.workspace = true\n\
        api = { workspace = true, optional = true }\n\n[dev-dependencies]\ntestkit = { workspace = true }\n";

    #[test]
    fn a_library_documents_its_names() {
        let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
        let complaints = |path, text| all(&[file(path, text)]).len();
        for path in ["shared/money/src/lib.rs", "mobile-sdk/src/lib.rs"] {
            assert_eq!((complaints(path, "//! It.\n"), complaints(path, "//! It.\n#![warn(missing_docs)]\n")), (1, 0));
        }
        assert_eq!(complaints("services/auth/src/lib.rs", "//! It.\n"), 0);
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_good() {
        assert_eq!(member("x/Cargo.toml", GOOD), Complaints::new());
    }

    #[test]
    fn what_is_not_inherited_is_named() {
        for (from, to, named) in [
            ("publish.workspace = true", "", "publish"),
            ("edition.workspace = true", "edition = \"2021\"", "edition"),
            ("[lints]\nworkspace = true", "", "lints"),
            ("serde.workspace = true", "serde = \"1\"", "serde"),
            ("testkit = { workspace = true }", "testkit = { path = \"../testkit\" }", "testkit"),
        ] {
            let complaints = member("x/Cargo.toml", &GOOD.replacen(from, to, 1));
            assert!(complaints.len() == 1 && complaints[0].contains(named), "{named}: {complaints:?}");
        }
    }

    #[test]
    fn a_dependency_without_a_reason_is_named() {
        let text = "[workspace.package]\npublish = false\n[workspace.dependencies]\n# --- ours ---\napi = { path = \"a\" }\n\n\
            # --- more ---\nrand = \"1\"\n# Why.\nserde = \"1\"\nserde_json = \"1\"\n";
        assert_eq!(root(text), ["Cargo.toml: rand has no comment that says why it is here"]);
    }
}

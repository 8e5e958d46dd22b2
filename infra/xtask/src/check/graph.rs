//! Who may depend on whom: the table in `infra/system.toml`, held against `cargo metadata`; and what may not be in the tree at all.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use system::system;

use super::{Complaints, cargo_output};

/// What tests may use besides.
const TESTS_MAY_USE: &[&str] = &["testkit"];

/// What crates call that compile C, or look for something that did.
const COMPILES_C: [&str; 4] = ["cc", "cmake", "bindgen", "pkg-config"];

/// What may not be in the tree, in the words of cargo-deny, which reads more of it.
const BANS: &str = include_str!("../../../deny.toml");

pub(super) fn direction() -> Result<Complaints> {
    let metadata = cargo_output(&["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
    directions(&serde_json::from_str(&metadata)?)
}

fn directions(metadata: &Value) -> Result<Complaints> {
    let packages = metadata.get("packages").and_then(Value::as_array).context("metadata has no packages")?;
    let mut complaints = Vec::new();
    for package in packages {
        let name = name(package)?;
        let Some(may_use) = system()?.crates.get(name) else {
            complaints.push(format!("{name} has no place in the table of crates (infra/system.toml)"));
            continue;
        };
        for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
            let used = self::name(dependency)?;
            let ours = dependency.get("path").is_some_and(Value::is_string);
            let in_tests = dependency.get("kind").is_some_and(|kind| kind == "dev") && TESTS_MAY_USE.contains(&used);
            if ours && !may_use.iter().any(|known| known == used) && !in_tests {
                complaints.push(format!("{name} must not depend on {used}"));
            }
        }
    }
    Ok(complaints)
}

pub(super) fn tree() -> Result<Complaints> {
    let edges = ["tree", "--workspace", "--locked", "--edges", "normal,build,dev", "--prefix", "none"];
    Ok(unwanted(&cargo_output(&edges)?, &bans(BANS)?))
}

/// Licenses, sources and bans, by the program that others wrote; nothing, loudly, where it is not installed.
pub(super) fn deny() -> Result<Complaints> {
    let installed = Command::new("cargo").args(["deny", "--version"]).output()?.status.success();
    if !installed {
        println!("      cargo-deny is not installed: nobody looks at licenses and sources here");
        return Ok(Vec::new());
    }
    let arguments = ["deny", "--offline", "--workspace", "--locked", "--log-level", "error"];
    let wanted = ["--config", "infra/deny.toml", "check", "licenses", "bans", "sources"];
    super::cargo(&[&arguments[..], &wanted].concat())
}

/// What `bans.deny` says of one crate.
struct Ban {
    name: String,
    /// Why there is to be none; otherwise there is to be one version of it at most.
    reason: Option<String>,
}

fn bans(text: &str) -> Result<Vec<Ban>> {
    let table: toml::Table = text.parse().context("infra/deny.toml")?;
    let listed = table.get("bans").and_then(|bans| bans.get("deny")).and_then(toml::Value::as_array);
    let ban = |entry: &toml::Value| {
        let text = |key| entry.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let single = entry.get("deny-multiple-versions").and_then(toml::Value::as_bool) == Some(true);
        let (name, reason) = (text("crate").context("an entry of bans.deny has no `crate`")?, text("reason"));
        ensure!(reason.is_some() != single, "bans.deny: {name} has a reason, or is to be there in one version");
        Ok(Ban { name, reason })
    };
    listed.context("infra/deny.toml has no list bans.deny")?.iter().map(ban).collect()
}

/// Who says that there is no C compiler must not have taken one.
pub(super) fn tool() -> Result<Complaints> {
    let edges = ["tree", "--package", "xtask", "--locked", "--edges", "normal,build", "--prefix", "none"];
    Ok(compiling_c(&cargo_output(&edges)?))
}

fn compiling_c(tree: &str) -> Complaints {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let mut found: Vec<&str> = names.filter(|name| COMPILES_C.contains(name)).collect();
    found.dedup();
    found
        .into_iter()
        .map(|name| format!("{name} is under xtask: it takes a C compiler (`cargo tree -p xtask -i {name}`)"))
        .collect()
}

/// `name vVERSION …`, one a line.
fn unwanted(tree: &str, bans: &[Ban]) -> Complaints {
    let mut packages: Vec<(&str, &str)> = tree.lines().filter_map(|line| line.split_once(' ')).collect();
    for (_, rest) in &mut packages {
        // Where no path follows, the version is all there is.
        *rest = rest.split_once(' ').map_or(*rest, |(version, _)| version);
    }
    packages.sort_unstable();
    packages.dedup();
    let has = |name: &str| packages.iter().filter(|(known, _)| *known == name).count();
    let complaint = |Ban { name, reason }: &Ban| match (reason, has(name)) {
        (Some(reason), 1..) => Some(format!("{name} is in the tree: {reason} (`cargo tree -i {name}` shows why)")),
        (None, versions @ 2..) => Some(format!("{name} is in the tree in {versions} versions")),
        _ => None,
    };
    bans.iter().filter_map(complaint).collect()
}

fn name(value: &Value) -> Result<&str> {
    value.get("name").and_then(Value::as_str).context("something in the metadata has no name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, dependencies: &Value) -> Value {
        json!({ "packages": [{ "name": name, "dependencies": dependencies }] })
    }

    #[test]
    fn what_takes_a_c_compiler_is_not_under_the_tool() {
        assert!(compiling_c("xtask v0.0.0 (/x)\ncc-like v1.0.0\nanyhow v1.0.1").is_empty());
        let found = compiling_c("xtask v0.0.0 (/x)\nring v0.17.1\ncc v1.2.3\ncc v1.2.3 (*)");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("cc is under xtask"), "{found:?}");
    }

    #[test]
    fn a_service_on_a_service_is_refused() {
        let broken = package("ledger", &json!([{ "name": "broker", "kind": null, "path": "/x" }]));
        assert_eq!(directions(&broken).unwrap(), ["ledger must not depend on broker"]);
    }

    #[test]
    fn an_arrow_upwards_is_refused() {
        let broken = package("money", &json!([{ "name": "storage", "kind": null, "path": "/x" }]));
        assert_eq!(directions(&broken).unwrap().len(), 1);
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let dependency = |kind: Value| json!([{ "name": "testkit", "kind": kind, "path": "/x" }]);
        assert!(directions(&package("auth", &dependency(json!("dev")))).unwrap().is_empty());
        assert_eq!(
            directions(&package("auth", &dependency(json!(null)))).unwrap(),
            ["auth must not depend on testkit"]
        );
    }

    #[test]
    fn a_crate_without_a_place_is_refused() {
        assert!(directions(&package("helpers", &json!([]))).unwrap()[0].contains("helpers has no place"));
    }

    #[test]
    fn crates_of_others_are_not_our_direction() {
        assert!(directions(&package("money", &json!([{ "name": "serde", "kind": null }]))).unwrap().is_empty());
    }

    #[test]
    fn a_second_stack_is_found_in_the_tree() {
        let tree = "auth v0.0.0 (/x)\nopenssl-sys v0.9.1\nrustls v0.23.1\nrustls v0.22.0\nrustls v0.23.1 (*)\n";
        let bans = bans(BANS).unwrap();
        let complaints = unwanted(tree, &bans);
        assert!(
            complaints.iter().any(|c| c.contains("openssl-sys")) && complaints.iter().any(|c| c.contains("2 versions"))
        );
        assert_eq!(unwanted("auth v0.0.0 (/x)\nrustls v0.23.1\nrustls v0.23.1 (*)\n", &bans), Complaints::new());
    }

    #[test]
    fn a_ban_that_says_neither_why_nor_how_many_is_an_error() {
        assert!(bans(BANS).unwrap().len() > 10);
        for broken in ["", "[bans]\n", "[bans]\ndeny = [{ crate = \"x\" }]", "[bans]\ndeny = [{ reason = \"x\" }]"] {
            assert!(bans(broken).is_err(), "{broken}");
        }
    }
}

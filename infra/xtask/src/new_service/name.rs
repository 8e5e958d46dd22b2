//! Which names a service can have. Crates, Rust's types and modules, database roles, containers, hosts and variables are made of it.

use std::collections::BTreeMap;

use anyhow::Result;
use toml::Table;

use super::words::{SYSTEM, table};
use crate::rename;
use crate::stop::Stop;

/// Words of Rust (2024 edition), and what crates of its own or kinds of targets are called.
const RUST: [&str; 58] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core", "crate", "do",
    "dyn", "else", "enum", "example", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "std", "struct", "super", "target", "test", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized",
    "use", "virtual", "where", "while", "yield",
];
/// Images and hosts that stand in no list with the services.
const BESIDE: [&str; 3] = ["tools", "edge", "localhost"];
/// What Cargo keeps for its own folders, so that no program is called so.
const CARGO: [&str; 4] = ["build", "deps", "examples", "incremental"];
/// What is no text in YAML 1.1, in which manifests have names without quotes.
const YAML: [&str; 5] = ["on", "off", "yes", "no", "null"];

/// It is a name, and nobody's.
pub(super) fn fits(name: &str, system: &Table, texts: &BTreeMap<&str, &str>, template: &[(&str, &str)]) -> Result<()> {
    let refused = |why: &str| Err(Stop::Usage(format!("{why}: nothing was written")).into());
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !plain || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !(2..=16).contains(&name.len()) {
        return refused(&format!("`{name}` is not 2 to 16 small letters and digits that begin with a letter"));
    }
    if [&RUST[..], &BESIDE, &CARGO, &YAML].iter().any(|words| words.contains(&name)) || name == rename::NAME {
        return refused(&format!("`{name}` means something else here"));
    }
    if table(system, "services")?.contains_key(name) {
        return refused(&format!("there is a service `{name}` already"));
    }
    let certificates = table(system, "certificates")?.values().filter_map(|names| names.as_array()).flatten();
    let certified = certificates.into_iter().any(|other| other.as_str() == Some(name));
    if certified || ["stand_ins", "crates"].iter().any(|list| table(system, list).is_ok_and(|it| it.contains_key(name)))
    {
        return refused(&format!("`{name}` stands in {SYSTEM} already"));
    }
    let has = |file: &str, line: &str| texts.get(file).is_some_and(|text| text.lines().any(|it| it.starts_with(line)));
    if has("infra/compose/compose.yaml", &format!("  {name}:")) {
        return refused(&format!("`{name}` is a container, a network or a volume already"));
    }
    if has("Cargo.lock", &format!("name = \"{name}\"")) {
        return refused(&format!("`{name}` is a library that is used here"));
    }
    // The service's type stands beside them.
    let title = rename::capital(name);
    let mut words = template.iter().flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric() && c != '_'));
    if words.any(|word| word == title) {
        return refused(&format!("`{title}` is something else in the code of a new service"));
    }
    Ok(())
}

//! Files that a program writes: each service's `openapi.json`, and of all of them `docs/layers.md`. What stands in the tree must be what the
//! program says now.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use system::{Service, system};

use super::Complaints;
use crate::process::Run;
use crate::{compile, place, stack};

pub(super) fn run(fix: bool) -> Result<Complaints> {
    let mut run = Run::of("check")?;
    let programs = compile::build(&mut run, "the services, for what they generate", &stack::programs()?)?;
    let (mut complaints, mut layers) = (Vec::new(), LAYERS.to_owned());
    for Service { name, public, .. } in &system()?.services {
        writeln!(layers, "\n## {name}\n\n{HEAD}")?;
        // Who has no public listener has no document of it either.
        let listeners = if public.is_some() { &LISTENERS[..] } else { &LISTENERS[1..] };
        for (file, arguments) in listeners {
            let file = place::root().join("services").join(name).join(file);
            let output = Command::new(programs.path(name)?).args(*arguments).stdin(Stdio::null()).output()?;
            ensure!(output.status.success(), "`{name} {}` failed", arguments.join(" "));
            let text = String::from_utf8(output.stdout)?;
            layers.push_str(&rows(&serde_json::from_str(&text)?)?);
            if fix {
                std::fs::write(&file, &text)?;
            }
            complaints.extend(compare(&file, &text));
        }
    }
    let file = place::root().join("docs/layers.md");
    if fix {
        std::fs::write(&file, &layers)?;
    }
    complaints.extend(compare(&file, &layers));
    Ok(complaints)
}

const LAYERS: &str = "# Which layers stand before which route

Made by `cargo xtask check --fix` from the routes of all services; the check fails when it is not what they say. A route's layers are those of its
policy (`shared/defense/src/policy.rs`), in the order in which they look at a request; the first one that says no ends it. What a handler's guard
cannot do without, its policy has, or it does not compile.

In development (`public.docs` in a service's configuration) there are `GET /docs`, behind the policy `page`, and `GET /openapi.json`, behind `metadata`, too.
They are no part of the contract, and so of no table here.

Before all of them stand transport, size and time limits (`shared/runtime`); behind them the handler's own checks, and the database's.
";

/// What the world may call, and what the services of the house may: one path can be both.
const LISTENERS: [(&str, &[&str]); 2] =
    [("openapi.json", &["openapi"]), ("openapi.internal.json", &["openapi", "--internal"])];

const HEAD: &str = "| Route | Listener | Guard | Policy | Layers |\n| --- | --- | --- | --- | --- |";

/// The routes of one listener.
fn rows(document: &Value) -> Result<String> {
    let mut text = String::new();
    let paths = document.get("paths").and_then(Value::as_object).context("a document without paths")?;
    for (path, methods) in paths {
        for (method, route) in methods.as_object().context("a path without methods")? {
            let word =
                |name: &str| route.get(name).and_then(Value::as_str).with_context(|| format!("{path}: no {name}"));
            let layers = route.get("x-layers").and_then(Value::as_array).context("a route without layers")?;
            let layers: Vec<&str> = layers.iter().filter_map(Value::as_str).collect();
            let (method, listener, guard) = (method.to_uppercase(), word("x-listener")?, word("x-guard")?);
            let (policy, layers) = (word("x-policy")?, layers.join(" → "));
            writeln!(text, "| `{method} {path}` | {listener} | `{guard}` | {policy} | {layers} |")?;
        }
    }
    Ok(text)
}

fn compare(file: &Path, text: &str) -> Option<String> {
    let stands = std::fs::read_to_string(file).ok();
    let verdict = match stands {
        Some(stands) if stands.trim_end() == text.trim_end() => return None,
        Some(_) => "is not what the program says now",
        None => "is missing",
    };
    Some(format!("{} {verdict}: `cargo xtask check --fix` writes it", place::short(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_is_a_row_with_its_layers_and_one_without_is_an_error() {
        let route = serde_json::json!({
            "x-listener": "public", "x-guard": "Public", "x-policy": "page", "x-layers": ["host", "rate_limit"],
        });
        let document = |route: &Value| serde_json::json!({ "paths": { "/login": { "get": route } } });
        let text = rows(&document(&route)).unwrap();
        assert!(text.starts_with("| `GET /login` | public | `Public` | page | host → rate_limit |\n"), "{text}");
        for name in ["x-listener", "x-guard", "x-policy", "x-layers"] {
            let mut route = route.clone();
            route.as_object_mut().unwrap().remove(name);
            assert!(rows(&document(&route)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_stale_file_and_a_missing_one_are_named() {
        let file = std::env::temp_dir().join(format!("redoubt-generated-{}.json", std::process::id()));
        assert!(compare(&file, "{}").unwrap().contains("is missing"));
        std::fs::write(&file, "{}\n").unwrap();
        assert_eq!(compare(&file, "{}"), None);
        assert!(compare(&file, "{\"a\":1}").unwrap().contains("--fix"));
        std::fs::remove_file(&file).unwrap();
    }
}

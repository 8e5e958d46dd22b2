//! `infra/terraform` beside `infra/system.toml`: each service has its database and the roles that it has here, and what must not be forgotten of a database
//! server stands there to the letter.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use system::{System, system};

use super::Complaints;
use super::sources::Source;
use crate::place;

const FOLDER: &str = "infra/terraform/";
const MADE: &str = "infra/terraform/services.auto.tfvars.json";
/// What each must say, name and value.
const SAID: [(&str, &str, &str); 14] = [
    ("main.tf", "storage_encrypted", "true"),
    ("main.tf", "kms_key_id", "aws_kms_key.this.arn"),
    ("main.tf", "enable_key_rotation", "true"),
    ("main.tf", "multi_az", "true"),
    ("main.tf", "publicly_accessible", "false"),
    ("main.tf", "backup_retention_period", "var.backup_days"),
    ("main.tf", "delete_automated_backups", "false"),
    ("main.tf", "deletion_protection", "true"),
    ("main.tf", "skip_final_snapshot", "false"),
    ("main.tf", "manage_master_user_password", "true"),
    ("main.tf", "prevent_destroy", "true"),
    ("main.tf", "image_tag_mutability", "\"IMMUTABLE\""),
    ("main.tf", "value", "\"TLSv1.3\""),
    ("main.tf", "referenced_security_group_id", "each.value"),
];
/// Names that no file sets: contents of secrets, which would stand in the state, and ways in for everybody.
const NEVER: [&str; 6] = ["password", "secret_string", "secret_binary", "cidr_ipv4", "cidr_ipv6", "cidr_blocks"];

pub(super) fn all(files: &[Source], fix: bool) -> Result<Complaints> {
    let text = made(system()?)?;
    if fix {
        std::fs::write(place::root().join(MADE), &text)?;
    }
    let stands = if fix {
        Some(text.clone())
    } else {
        files.iter().find(|file| file.path == MADE).map(|file| file.text.clone())
    };
    let stale = stands.is_none_or(|stands| stands.trim_end() != text.trim_end());
    let mut complaints = said(files);
    complaints.extend(
        stale.then(|| format!("{MADE} is not what infra/system.toml says: `cargo xtask check --fix` writes it")),
    );
    Ok(complaints)
}

/// The services that have a database, with it and its roles.
fn made(system: &System) -> Result<String> {
    let services = system.services.iter().filter(|service| !service.roles.is_empty());
    let service = |name: &str, roles: &[String]| {
        (name.to_owned(), json!({ "database": format!("redoubt_{name}"), "roles": roles }))
    };
    let services: serde_json::Map<_, _> = services.map(|of| service(&of.name, &of.roles)).collect();
    Ok(serde_json::to_string_pretty(&json!({ "services": services }))? + "\n")
}

fn modules(files: &[Source]) -> impl Iterator<Item = &Source> {
    let is_one = |file: &&Source| Path::new(&file.path).extension().is_some_and(|extension| extension == "tf");
    files.iter().filter(|file| file.path.starts_with(FOLDER)).filter(is_one)
}

fn said(files: &[Source]) -> Complaints {
    let modules = || modules(files);
    let sets = |file: &Source, name: &str, value: Option<&str>| {
        file.text
            .lines()
            .filter_map(|line| line.split_once('='))
            .any(|(left, right)| left.trim() == name && value.is_none_or(|value| right.trim() == value))
    };
    let forgotten = SAID.iter().filter(|(of, name, value)| {
        !modules().any(|file| file.path == format!("{FOLDER}{of}") && sets(file, name, Some(value)))
    });
    let mut complaints: Complaints =
        forgotten.map(|(of, name, value)| format!("{FOLDER}{of} does not say `{name} = {value}`")).collect();
    for file in modules() {
        let wrong = NEVER.iter().filter(|name| sets(file, name, None));
        complaints.extend(wrong.map(|name| format!("{} sets `{name}`", file.path)));
        let otherwise = SAID
            .iter()
            .filter(|(_, name, value)| *name != "value" && sets(file, name, None) && !sets(file, name, Some(value)));
        complaints.extend(otherwise.map(|(_, name, _)| format!("{} says something else of `{name}`", file.path)));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use testkit::missing::may_be_missing;
    use testkit::tools::{python, said as output};

    use super::*;
    use crate::check;

    const PINNED: &str = include_str!("terraform-hcl2.txt");
    const COMPILED: &str = "# What it reads text with: another file for each machine and each Python, so by version only.\nregex==2026.11.19\n";

    #[test]
    fn what_is_forgotten_or_said_otherwise_is_named_and_so_is_a_secret() {
        let files = check::files().unwrap();
        assert_eq!(all(&files, false).unwrap(), Complaints::new());
        let changed = |change: &dyn Fn(&str) -> String| {
            let change = |file: &Source| Source { path: file.path.clone(), text: change(&file.text) };
            all(&files.iter().map(change).collect::<Vec<_>>(), false).unwrap().join("; ")
        };
        for (_, name, value) in SAID {
            let is_it = |line: &str| {
                line.split_once('=').is_some_and(|(left, right)| left.trim() == name && right.trim() == value)
            };
            let without = |text: &str| text.lines().filter(|line| !is_it(line)).collect::<Vec<_>>().join("\n");
            let complaint = changed(&without);
            assert!(complaint.contains(&format!("`{name} = {value}`")), "{name}: {complaint}");
        }
        let with = |from: &str, to: &str| changed(&|text: &str| text.replace(from, to));
        assert!(with("skip_final_snapshot", "password = \"x\"\n  skip_final_snapshot").contains("sets `password`"));
        assert!(
            with("publicly_accessible             = false", "publicly_accessible = true")
                .contains("something else of `publicly_accessible`")
        );
        assert!(with("\"poster\"", "\"poker\"").contains("is not what infra/system.toml says"));
    }

    /// By a parser that nobody here wrote: no plan was made of it.
    #[test]
    fn every_file_is_hcl_and_a_broken_one_is_not() {
        let parser = match python(&place::target(), "python-hcl2", PINNED, COMPILED) {
            Ok(parser) => parser,
            Err(why) => return may_be_missing("python-hcl2", "REDOUBT_PIP_WAIVED", &why),
        };
        let parse = |text: &str| {
            let mut python = Command::new("python3");
            python.args(["-c", "import hcl2, sys; hcl2.loads(sys.argv[1])", text]);
            output(python.env("PYTHONPATH", &parser))
        };
        let files = check::files().unwrap();
        let modules: Vec<&Source> = modules(&files).collect();
        assert_eq!(modules.len(), 4);
        for file in modules {
            parse(&file.text).unwrap_or_else(|wrong| panic!("{}: {wrong}", file.path));
            let cut = file.text.trim_end().trim_end_matches('}');
            assert!(parse(cut).is_err(), "{}", file.path);
        }
    }
}

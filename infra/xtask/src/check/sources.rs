//! The repository's files, and what must stand in none of them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::Complaints;
use crate::place;

/// A file of the repository: its path from the root, with `/`, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Rust code without the file's own tests, which stand at its end.
    pub(super) fn program(&self) -> &str {
        self.text.split_once("#[cfg(test)]\nmod ").map_or(&self.text, |(program, _)| program)
    }

    /// What `find` finds at a line of the program, given that line and all that follow, where no comment says why: `meaning` and a reason, in the
    /// same line or the one before. With the line's number.
    pub(super) fn unexplained<T>(&self, meaning: &str, find: impl Fn(&[&str]) -> Option<T>) -> Vec<(usize, T)> {
        let says_why = |line: &str| line.split_once(meaning).is_some_and(|(_, why)| !why.trim().is_empty());
        let lines: Vec<&str> = self.program().lines().collect();
        let (mut found, mut explained) = (Vec::new(), false);
        for (number, line) in lines.iter().enumerate() {
            let (before, here) = (explained, says_why(line));
            explained = here;
            if let Some(what) = lines.get(number..).and_then(&find).filter(|_| !before && !here) {
                found.push((number + 1, what));
            }
        }
        found
    }
}

/// A rule of thumb made a rule for the code that people read.
const MOST_LINES: usize = 400;

/// What git tracks or would track; in a tree without git, everything but build output. Binary files are left out.
pub(crate) fn files() -> Result<Vec<Source>> {
    let root = place::root();
    let git = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(&root)
        .stdin(Stdio::null())
        .output();
    let paths: Vec<String> = match git {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => walk(&root, &root)?,
    };
    let read = |path: String| {
        let text = std::fs::read_to_string(root.join(&path)).ok()?;
        Some(Source { path, text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

fn walk(root: &Path, directory: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if path.is_dir() && name != "target" && name != ".git" && name != "node_modules" {
            paths.extend(walk(root, &path)?);
        } else if path.is_file() {
            paths.extend(path.strip_prefix(root).ok().map(|path| path.to_string_lossy().into_owned()));
        }
    }
    Ok(paths)
}

/// Private keys, cloud credentials, paths that exist on one machine only, and the registry that a machine has.
pub(super) fn secrets(files: &[Source]) -> Complaints {
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let registry = || registry_in(&file.path, line);
            if let Some(what) = secret_in(line).or_else(|| machine_path_in(line)).or_else(registry) {
                complaints.push(format!("{}:{}: {what}", file.path, number + 1));
            }
        }
    }
    complaints
}

fn secret_in(line: &str) -> Option<&'static str> {
    // Put together here so that this file does not complain of itself.
    let (begin, end) = (concat!("-----BEG", "IN "), concat!("PRIVATE ", "KEY-----"));
    if line.split(begin).skip(1).any(|rest| rest.contains(end)) {
        return Some("a private key");
    }
    let is_key =
        |rest: &str| rest.len() >= 16 && rest.bytes().take(16).all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    line.split(concat!("AK", "IA")).skip(1).any(is_key).then_some("a cloud access key")
}

fn machine_path_in(line: &str) -> Option<&'static str> {
    let starts_path = |at: usize| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || "._-/}*".contains(c))
    };
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")]
        .iter()
        .any(|place| line.match_indices(place).any(|(at, _)| starts_path(at)))
        .then_some("a path of one machine")
}

/// npm writes where it got a package, unless it is told `--omit-lockfile-registry-resolved`; the checksum beside it says which package it is.
fn registry_in(path: &str, line: &str) -> Option<&'static str> {
    (path.ends_with("package-lock.json") && line.contains("\"resolved\"")).then_some("the address of a registry")
}

/// Rust files that have grown too long.
pub(super) fn sizes(files: &[Source]) -> Complaints {
    files
        .iter()
        .filter(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "rs"))
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, lines)| format!("{}: {lines} lines, at most {MOST_LINES}", file.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_and_a_cloud_key_are_found() {
        assert!(secret_in(concat!("-----BEG", "IN EC PRIVATE ", "KEY-----")).is_some());
        assert!(secret_in(concat!("-----BEG", "IN PRIVATE ", "KEY-----")).is_some());
        assert!(secret_in(concat!("key = \"AK", "IAIOSFODNN7EXAMPLE\"")).is_some());
        assert!(secret_in("-----BEGIN CERTIFICATE-----").is_none());
        assert!(secret_in(concat!("AK", "IA is a prefix")).is_none());
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_a_path_inside_a_url_is_not() {
        assert!(machine_path_in(concat!("see /wo", "rk/main/x")).is_some());
        assert!(machine_path_in(concat!("\"/ho", "me/alice/.cargo\"")).is_some());
        assert!(machine_path_in(concat!("https://example.com/ho", "me/page")).is_none());
        assert!(machine_path_in(concat!("target/wo", "rk/x")).is_none());
    }

    #[test]
    fn a_lock_file_names_no_registry() {
        let lock =
            |line: &str| Source { path: "docs/x/package-lock.json".to_owned(), text: format!("{{\n{line}\n}}\n") };
        let resolved = "\"resolved\": \"https://registry.example/jose.tgz\",";
        assert_eq!(secrets(&[lock(resolved)]), ["docs/x/package-lock.json:2: the address of a registry"]);
        assert_eq!(secrets(&[lock("\"integrity\": \"sha512-x\",")]), Complaints::new());
    }

    #[test]
    fn what_was_built_or_fetched_is_no_part_of_a_tree_without_git() {
        let root = std::env::temp_dir().join(format!("redoubt-walk-{}", std::process::id()));
        for folder in ["src", "target", ".git", "docs/x/node_modules/y"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join("file"), "").unwrap();
        }
        let walked = walk(&root, &root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(walked.unwrap(), ["src/file"]);
    }

    #[test]
    fn a_long_file_is_named() {
        let source = |path: &str, lines: usize| Source { path: path.to_owned(), text: "x\n".repeat(lines) };
        let complaints = sizes(&[source("a.rs", 401), source("b.rs", 400), source("c.md", 900)]);
        assert_eq!(complaints, ["a.rs: 401 lines, at most 400"]);
    }

    #[test]
    fn a_broken_file_turns_the_check_red_with_its_line() {
        let file = Source { path: "a.toml".to_owned(), text: concat!("x = 1\ny = \"/ro", "ot/key\"\n").to_owned() };
        assert_eq!(secrets(&[file]), ["a.toml:2: a path of one machine"]);
    }
}

//! What is written for a new service, made of the texts that are there and of nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use toml::Table;

use super::words::{SYSTEM, Words};
use super::{edits, name};
use crate::check::Source;
use crate::stop::Stop;

/// The new files, each at its place.
const TREE: &str = "infra/xtask/templates/service/tree/";

/// A file that is written.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: String,
    /// As it is; none: it is new.
    pub(super) before: Option<String>,
    pub(super) after: String,
}

impl Change {
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let path = root.join(&self.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        replace(&path, &self.after).with_context(|| self.path.clone())
    }

    /// As it was.
    pub(super) fn undo(&self, root: &Path) -> std::io::Result<()> {
        let path = root.join(&self.path);
        match &self.before {
            Some(before) => replace(&path, before),
            None if path.exists() => std::fs::remove_file(&path),
            None => Ok(()),
        }
    }
}

/// Written beside it and then put in its place: a full disk leaves the file as it is.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // Perhaps it was never there.
        drop(std::fs::remove_file(&beside));
    }
    written
}

/// The new files and then the changed ones, in the order of their paths.
pub(super) fn plan(name: &str, files: &[Source]) -> Result<Vec<Change>> {
    let texts: BTreeMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let template: Vec<(&str, &str)> =
        texts.iter().filter_map(|(path, text)| Some((path.strip_prefix(TREE)?, *text))).collect();
    let system: Table = texts.get(SYSTEM).with_context(|| format!("{SYSTEM} is not there"))?.parse()?;
    name::fits(name, &system, &texts, &template)?;
    let words = Words::of(name, &system)?;
    let mut changes = Vec::new();
    for (path, text) in template {
        let path = words.fill(path);
        if texts.contains_key(path.as_str()) {
            return Err(Stop::Usage(format!("`{name}` has a file already, {path}: nothing was written")).into());
        }
        changes.push(Change { path, before: None, after: words.fill(text) });
    }
    let edited = edits::all(&texts, &words).context("nothing was written")?;
    changes.extend(edited.into_iter().map(|(path, after)| {
        let before = texts.get(path.as_str()).map(|text| (*text).to_owned());
        Change { path, before, after }
    }));
    Ok(changes)
}

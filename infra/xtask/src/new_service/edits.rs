//! The places in files that are there (`templates/service/edits.toml`), and what is put there.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use toml::{Table, Value};

use super::words::Words;

const FILE: &str = "infra/xtask/templates/service/edits.toml";

/// The new text of each file that is changed.
pub(super) fn all(texts: &BTreeMap<&str, &str>, words: &Words) -> Result<BTreeMap<String, String>> {
    let file: Table = texts.get(FILE).with_context(|| format!("{FILE} is not there"))?.parse().context(FILE)?;
    let edits = file.get("edit").and_then(Value::as_array).with_context(|| format!("{FILE} has no edit"))?;
    let mut changed: BTreeMap<String, String> = BTreeMap::new();
    for edit in edits {
        let edit = edit.as_table().with_context(|| format!("{FILE}: an edit is no table"))?;
        let word = |key: &str| edit.get(key).and_then(Value::as_str).map(|text| words.fill(text));
        let path = word("file").with_context(|| format!("{FILE}: an edit has no file"))?;
        let text = word("text").with_context(|| format!("{FILE}: an edit of {path} has no text"))?;
        let before = match changed.get(&path) {
            Some(text) => text,
            None => *texts.get(path.as_str()).with_context(|| format!("{path} is not there"))?,
        };
        let place = Place::of(edit, words).with_context(|| format!("{FILE}: an edit of {path} has no place"))?;
        let after = place.insert(before, &text).with_context(|| path.clone())?;
        changed.insert(path, after);
    }
    Ok(changed)
}

/// Where a text is put.
enum Place {
    Line(String),
    After(String),
    Before(String),
    Every(String),
    End,
}

impl Place {
    fn of(edit: &Table, words: &Words) -> Option<Self> {
        let text = |kind: &str| edit.get(kind).and_then(Value::as_str).map(|text| words.fill(text));
        let place = text("line").map(Self::Line).or_else(|| text("after").map(Self::After));
        let place = place.or_else(|| text("before").map(Self::Before)).or_else(|| text("every").map(Self::Every));
        place.or_else(|| edit.contains_key("end").then_some(Self::End))
    }

    fn insert(&self, before: &str, text: &str) -> Result<String> {
        match self {
            Self::Line(head) => {
                let mut lines: Vec<&str> = before.split_inclusive('\n').collect();
                let mut heads = lines.iter().enumerate().filter(|(_, line)| line.starts_with(head.as_str()));
                let (Some((at, _)), None) = (heads.next(), heads.next()) else {
                    bail!("there is not one line that begins with `{head}`");
                };
                lines.insert(at + 1, text);
                Ok(lines.concat())
            }
            Self::After(place) => Ok(before.replacen(once(before, place)?, &[place, text].concat(), 1)),
            Self::Before(place) => Ok(before.replacen(once(before, place)?, &[text, place].concat(), 1)),
            Self::Every(place) if before.contains(place.as_str()) => {
                Ok(before.replace(place.as_str(), &[place, text].concat()))
            }
            Self::Every(place) => bail!("there is no `{}`", place.trim()),
            Self::End if before.ends_with('\n') => Ok([before, text].concat()),
            Self::End => bail!("it does not end with a line"),
        }
    }
}

/// The place, if it is there and is one.
fn once<'a>(text: &str, place: &'a str) -> Result<&'a str> {
    match text.matches(place).count() {
        1 => Ok(place),
        0 => bail!("there is no `{}`", place.trim()),
        several => bail!("there are {several} of `{}`", place.trim()),
    }
}

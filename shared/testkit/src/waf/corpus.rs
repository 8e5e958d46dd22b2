//! The regression tests of the OWASP Core Rule Set, by their authors and not part of this repository: one request a line, with the ids of the rules that
//! find something in it, or must not. `REDOUBT_CRS_CORPUS` names the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::missing::outside;

/// One test.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// The rule that it is about.
    pub rule: u32,
    /// The file of the rules that the rule stands in.
    pub file: String,
    /// Rules that find something.
    #[serde(default)]
    pub exp: Option<Vec<u32>>,
    /// Rules that must not.
    #[serde(default)]
    pub noexp: Option<Vec<u32>>,
    /// The request's method.
    pub method: String,
    /// Its target.
    pub uri: String,
    /// Its version of HTTP.
    pub ver: String,
    /// Its header fields.
    pub headers: Vec<(String, String)>,
    /// Its body.
    #[serde(default)]
    pub body: String,
}

/// All tests; `None` after a complaint that nobody overlooks (`REDOUBT_CRS_CORPUS_WAIVED` goes without).
///
/// # Errors
///
/// The file is there and is no such file.
pub fn read() -> Result<Option<Vec<Case>>> {
    let what = "the Core Rule Set's regression tests";
    let Some(file) = outside(what, "REDOUBT_CRS_CORPUS", "data/crs-regression.jsonl", "") else { return Ok(None) };
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let lines = text.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned()));
    Ok(Some(lines.collect::<Result<_>>()?))
}

/// The rules that stand in a folder, each with its paranoia level.
///
/// # Errors
///
/// The folder cannot be read.
pub fn rules(folder: &Path) -> Result<BTreeMap<u32, u32>> {
    let mut rules = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for rule in text.split("\"id:").skip(1) {
            let digits: String = rule.chars().take_while(char::is_ascii_digit).collect();
            let level = rule.split_once("paranoia-level/").and_then(|(_, rest)| rest.chars().next()?.to_digit(10));
            rules.insert(digits.parse().with_context(|| path.display().to_string())?, level.unwrap_or(1));
        }
    }
    Ok(rules)
}

/// The attacks among the tests that are texts: of each test of a rule that `counts` and that looks for attacks in what clients write, the longest
/// argument of its query or form, once. The Core Rule Set's authors call these what the rule must find; some are fragments, and some tests have their
/// attack elsewhere, so that the longest argument is none: they are left in.
pub fn attacks(cases: &[Case], counts: impl Fn(u32) -> bool) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let wanted = |case: &&Case| {
        let family = case.file.split('-').nth(1).unwrap_or_default();
        let attacks = ["930", "931", "932", "933", "934", "941", "942", "944"].contains(&family);
        attacks && case.exp.as_ref().is_some_and(|expected| !expected.is_empty()) && counts(case.rule)
    };
    let texts = cases.iter().filter(wanted).filter_map(longest);
    texts.filter(|text| seen.insert(text.clone())).collect()
}

/// As long as a text of ours may be, and in one line.
fn longest(case: &Case) -> Option<String> {
    let query = case.uri.split_once('?').map_or("", |(_, query)| query);
    let is_form =
        |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.contains("urlencoded");
    let form = if case.headers.iter().any(is_form) { case.body.as_str() } else { "" };
    let arguments = query.split('&').chain(form.split('&')).filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        unescaped(if value.is_empty() { name } else { value })
    });
    let text = arguments.max_by_key(|text| text.chars().count())?;
    let fits = (3..=140).contains(&text.chars().count()) && !text.chars().any(|c| u32::from(c) < 32);
    fits.then_some(text)
}

/// Percent-decoded, with `+` for a space; `None` if that is no text.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_decoded() {
        assert_eq!(unescaped("a%27+OR%201=1%").as_deref(), Some("a' OR 1=1%"));
        assert_eq!(unescaped("%ff"), None);
    }
}

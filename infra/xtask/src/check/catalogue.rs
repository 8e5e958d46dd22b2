//! The attack catalogue (`docs/attacks.md`) is true: its entries are numbered without a gap, its links lead to files and tests that are there, and what the
//! story or a comment (`ATTACKS` and a number) numbers has an entry, which links back.

use std::collections::BTreeMap;
use std::path::Path;

use super::Complaints;
use super::documents::{Link, links, resolved};
use super::placement::{is_program, mentions};
use super::sources::Source;

const CATALOGUE: &str = "docs/attacks.md";
/// What an entry says that has no code.
const NONE_YET: &str = "**no code yet**";
/// Where the attacks are played that are no tests.
const STORY: &str = "e2e/src/";

/// An entry: its lines, with the number of the first.
struct Entry<'a> {
    line: usize,
    text: Vec<&'a str>,
}

pub(super) fn all(files: &[Source]) -> Complaints {
    let Some(catalogue) = files.iter().find(|file| file.path == CATALOGUE) else {
        return vec![format!("{CATALOGUE} is missing")];
    };
    let (entries, mut complaints) = entries(&catalogue.text);
    for (number, line) in (1..).zip(catalogue.text.lines()) {
        let wrong = links(line).into_iter().filter_map(|link| broken(&link, files));
        complaints.extend(wrong.map(|what| format!("{CATALOGUE}:{number}: {what}")));
    }
    for (number, entry) in &entries {
        let has_code = entry.text.iter().any(|line| links(line).iter().any(|link| link.target.starts_with("../")));
        if has_code == entry.text.iter().any(|line| line.contains(NONE_YET)) {
            complaints.push(format!("{CATALOGUE}:{}: {number} has code, or else says `{NONE_YET}`", entry.line));
        }
    }
    let mut numbered = 0;
    for file in files.iter().filter(|file| Path::new(&file.path).extension().is_some_and(|it| it == "rs")) {
        for (line, number) in numbers(file) {
            numbered += 1;
            let complaint = match entries.get(&number) {
                None => format!("{CATALOGUE} has no attack {number}"),
                Some(entry) if !entry.text.iter().any(|line| leads_to(line, &file.path)) => {
                    format!("{CATALOGUE}:{}: {number} does not link this file", entry.line)
                }
                Some(_) => continue,
            };
            complaints.push(format!("{}:{line}: {complaint}", file.path));
        }
    }
    if numbered == 0 {
        complaints.push(format!("nothing numbers an attack of {CATALOGUE}: this rule reads it no more"));
    }
    complaints
}

/// By number. An anchor that is not its heading's number, or not the next one, is a complaint.
fn entries(text: &str) -> (BTreeMap<u32, Entry<'_>>, Complaints) {
    let (mut entries, mut complaints) = (BTreeMap::<u32, Entry<'_>>::new(), Complaints::new());
    let mut current = None;
    for (line, words) in (1..).zip(text.lines()) {
        if words.starts_with("## ") {
            current = None;
        } else if let Some(heading) = words.strip_prefix("### ") {
            let next = u32::try_from(entries.len() + 1).unwrap_or(u32::MAX); // Default: nobody has as many.
            current = heading.starts_with(&format!("<a id=\"a{next}\"></a>{next} · ")).then_some(next);
            match current {
                Some(number) => drop(entries.insert(number, Entry { line, text: Vec::new() })),
                None => complaints.push(format!("{CATALOGUE}:{line}: this is not the heading of attack {next}")),
            }
        } else if let Some(entry) = current.and_then(|number| entries.get_mut(&number)) {
            entry.text.push(words);
        }
    }
    (entries, complaints)
}

/// The file from the root that a link of the catalogue leads to; none: it stays in the catalogue.
fn path(target: &str) -> Option<String> {
    resolved(CATALOGUE, target.split('#').next().filter(|file| !file.is_empty())?)
}

fn leads_to(line: &str, file: &str) -> bool {
    links(line).iter().any(|link| path(link.target).as_deref() == Some(file))
}

fn broken(link: &Link<'_>, files: &[Source]) -> Option<String> {
    let path = path(link.target)?;
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return Some(format!("{path} is not there"));
    };
    let test = link.text.strip_prefix('`')?.strip_suffix('`')?;
    let named = test.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (named && !file.text.contains(&format!("fn {test}("))).then(|| format!("{path} has no `{test}`"))
}

/// The attacks that a file numbers, each with its line.
fn numbers(file: &Source) -> Vec<(usize, u32)> {
    let text = if is_program(&file.path) { file.program() } else { &file.text };
    // This crate plays none; it only writes of them.
    if file.path.starts_with("infra/xtask/") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut note = |at: usize, digits: &str| {
        let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        found.extend(digits.parse().ok().map(|number| (line, number)));
    };
    for (at, sign) in text.match_indices("ATTACKS ") {
        let rest = text.get(at + sign.len()..).unwrap_or_default(); // Default: nothing follows.
        note(at, split(rest).0);
    }
    if file.path.starts_with(STORY) && mentions_one(text) {
        for (at, _) in text.match_indices(['(', ':']) {
            let (before, rest) = text.split_at(at);
            let (digits, rest) = split(rest.get(1..).unwrap_or_default().trim_start()); // Default: nothing follows.
            let next = rest.strip_prefix(',').map(str::trim_start);
            let called = ["stopped", "tell", "number"].iter().any(|word| before.ends_with(word));
            // `(33, "title"`, `stopped(33,`, `number: 33,`.
            if next.is_some_and(|next| called || next.starts_with('"')) {
                note(at, digits);
            }
        }
    }
    found
}

fn mentions_one(text: &str) -> bool {
    text.lines().any(|line| mentions(line, "Attack"))
}

/// The digits that a text begins with, and the rest.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()); // Default: all are.
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY_FILE: (&str, &str) =
        ("e2e/src/attacks.rs", "use x::Attack;\nreport.stopped(1, t, s);\n(\n    2,\n    \"title\",\n)\n");
    const TEST: (&str, &str) = ("services/x/tests/it/a.rs", "/// ATTACKS 2: so.\nfn it_is_stopped() {}\n");
    const DOC: &str = "# C\n\n## G\n\n### <a id=\"a1\"></a>1 · One\n\n- Code:\n  - [the story](../e2e/src/attacks.rs)\n\n\
        ### <a id=\"a2\"></a>2 · Two\n\n- Code:\n  - [the story](../e2e/src/attacks.rs)\n  - [`it_is_stopped`](../services/x/tests/it/a.rs)\n\n\
        ### <a id=\"a3\"></a>3 · Three\n\n- Code: **no code yet**\n- See [one](#a1).\n";

    fn complaints(doc: &str, files: &[(&str, &str)]) -> Complaints {
        let source = |&(path, text): &(&str, &str)| Source { path: path.to_owned(), text: text.to_owned() };
        all(&[(CATALOGUE, doc)].iter().chain(files).map(source).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_true_passes() {
        assert_eq!(complaints(DOC, &[STORY_FILE, TEST]), Complaints::new());
    }

    #[test]
    fn a_number_without_an_entry_is_refused_with_its_line() {
        let played = ("e2e/src/edge.rs", "use x::Attack;\n\nAttack { number: 4, title }\n");
        assert_eq!(
            complaints(DOC, &[STORY_FILE, TEST, played]),
            ["e2e/src/edge.rs:3: docs/attacks.md has no attack 4"]
        );
        let commented = ("shared/x/src/lib.rs", "//! It.\n/// So that it is noticed (ATTACKS 79).\n");
        assert_eq!(
            complaints(DOC, &[STORY_FILE, TEST, commented]),
            ["shared/x/src/lib.rs:2: docs/attacks.md has no attack 79"]
        );
    }

    #[test]
    fn an_entry_that_does_not_link_what_plays_it_is_refused() {
        let doc = DOC.replacen("  - [the story](../e2e/src/attacks.rs)\n  - [`it", "  - [`it", 1);
        assert_eq!(
            complaints(&doc, &[STORY_FILE, TEST]),
            ["e2e/src/attacks.rs:3: docs/attacks.md:10: 2 does not link this file"]
        );
    }

    #[test]
    fn a_file_or_test_that_is_not_there_is_named() {
        let renamed = (TEST.0, "/// ATTACKS 2: so.\nfn it_was_stopped() {}\n");
        assert_eq!(
            complaints(DOC, &[STORY_FILE, renamed]),
            ["docs/attacks.md:14: services/x/tests/it/a.rs has no `it_is_stopped`"]
        );
        assert_eq!(complaints(DOC, &[STORY_FILE]), ["docs/attacks.md:14: services/x/tests/it/a.rs is not there"]);
    }

    #[test]
    fn an_entry_has_code_or_says_that_it_has_none() {
        let both = DOC.replacen("- Code:\n", "- Code: **no code yet**\n", 1);
        for doc in [DOC.replace(NONE_YET, "soon"), both] {
            assert!(complaints(&doc, &[STORY_FILE, TEST])[0].contains(NONE_YET), "{doc}");
        }
    }

    #[test]
    fn anchors_are_the_numbers_in_their_order() {
        for doc in [
            DOC.replace("\"a2\"", "\"a1\""),
            DOC.replace("</a>2", "</a>3"),
            DOC.replace("### <a id=\"a1\"></a>1", "### 1"),
        ] {
            assert!(complaints(&doc, &[STORY_FILE, TEST])[0].contains("not the heading of attack"), "{doc}");
        }
    }

    #[test]
    fn a_rule_that_finds_nothing_says_so() {
        assert!(complaints(DOC, &[("e2e/src/attacks.rs", ""), TEST]).is_empty());
        assert!(
            complaints(DOC, &[("e2e/src/attacks.rs", ""), (TEST.0, "fn it_is_stopped() {}")])[0].contains("no more")
        );
    }
}

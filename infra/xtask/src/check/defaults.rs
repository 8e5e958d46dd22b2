//! Silent defaults: what cannot happen is an error that stops the operation, never a value that looks like an answer.
//!
//! Indexing and `expect` are forbidden by lint, so a value for the missing case is the easy way out: a posting that is left out, an id of
//! zeros, a time in 1970. Where a default means something, a comment says what, in the same line or the one before:
//!
//! ```text
//! let limit = query.limit.unwrap_or(PAGE); // Default: a caller that names none gets a page.
//! ```

use super::Complaints;
use super::placement::{code, is_program};
use super::sources::Source;

/// Where amounts are: arithmetic that stops at a limit makes money, or loses some.
const MONEY: &str = "services/ledger/";

/// Makes a value where there is none, or leaves out what went wrong.
const DEFAULTS: [&str; 7] = [
    ".unwrap_or_default()",
    ".unwrap_or(",
    ".unwrap_or_else(",
    ".map_or(",
    ".map_or_else(",
    ".map_or_default(",
    "filter_map(Result::ok)",
];
/// No defaults: a lock that outlives a panic, a text that had nothing to be cut off, and `map_or` to an outcome.
const HARMLESS: [&str; 6] = [
    ".unwrap_or_else(PoisonError::into_inner)",
    ".map_or(Ok(",
    ".map_or(Err(",
    "strip_prefix(",
    "strip_suffix(",
    "split_once(",
];
const MEANING: &str = "// Default: ";

pub(super) fn silent(files: &[Source]) -> Complaints {
    files.iter().filter(|file| is_held(&file.path)).flat_map(complaints).collect()
}

fn is_held(path: &str) -> bool {
    let ours = (path.starts_with("services/") || path.starts_with("shared/")) && path.contains("/src/");
    // What only tests use may be as forgetful as they like.
    ours && is_program(path) && !path.starts_with("shared/testkit/")
}

fn complaints(file: &Source) -> Complaints {
    let money = file.path.starts_with(MONEY);
    let found = file.unexplained(MEANING, |lines| default_in(lines.first()?, money).or_else(|| skipped(lines)));
    let complaint = |(line, what)| {
        format!("{}:{line}: `{what}` for what is missing: an error, or say what it means: `{MEANING}…`", file.path)
    };
    found.into_iter().map(complaint).collect()
}

fn default_in(line: &str, money: bool) -> Option<&'static str> {
    let mut line = code(line).to_owned();
    for harmless in HARMLESS {
        // Of a chain only what comes after it is looked at.
        if harmless.starts_with('.') {
            line = line.replace(harmless, "");
        } else if let Some((before, after)) = line.split_once(harmless) {
            line = format!("{before}{}", after.replace(".unwrap_or(", ""));
        }
    }
    if money && line.contains(".saturating_") {
        return Some(".saturating_…");
    }
    DEFAULTS.into_iter().find(|default| line.contains(default))
}

/// `if let Some(x) = list.get(i) { … }` without an `else`: what is not there is left out. `lines` begins with the `if`.
fn skipped(lines: &[&str]) -> Option<&'static str> {
    let (first, rest) = lines.split_first()?;
    let looks = code(first).trim_start().strip_prefix("if let ")?;
    let condition = looks.contains(".get(") || looks.contains(".get_mut(");
    let opens = condition && looks.ends_with('{') && !looks.contains(")?");
    // rustfmt puts the closing brace under the `if`.
    let indent = first.len() - first.trim_start().len();
    let end = rest.iter().position(|line| line.len() - line.trim_start().len() == indent && !line.trim().is_empty())?;
    // What is found ends it: what comes after is the other case.
    let leaves = rest.get(..end)?.last().is_some_and(|last| last.trim_start().starts_with("return"));
    (opens && !leaves && rest.get(end)?.trim() == "}").then_some("if let … get(…) without else")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Complaints {
        silent(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    const LEDGER: &str = "services/ledger/src/posting/rows.rs";

    #[test]
    fn a_default_that_says_nothing_is_refused_with_its_line() {
        for default in [
            "DateTime::from_timestamp_millis(now).unwrap_or_default()",
            "i16::try_from(count).unwrap_or(i16::MAX)",
            "found.unwrap_or_else(Vec::new)",
            "found.map_or(0, |row| row.count)",
            "found.map_or_else(Vec::new, |row| row.list)",
            "rows.filter_map(Result::ok)",
            "text.strip_prefix('/').unwrap_or_default()",
            "amount.saturating_neg()",
        ] {
            let complaints = complaints(LEDGER, &format!("fn f() {{\n    let x = {default};\n}}\n"));
            assert_eq!(complaints.len(), 1, "{default}");
            assert!(complaints[0].starts_with("services/ledger/src/posting/rows.rs:2: "), "{complaints:?}");
        }
    }

    #[test]
    fn a_default_that_says_what_it_means_passes() {
        let above = "// Default: a caller that names none gets a page.\nlet x = query.limit.unwrap_or(PAGE);\n";
        let beside = "let x = query.limit.unwrap_or(PAGE); // Default: a page.\n";
        assert!(complaints(LEDGER, above).is_empty() && complaints(LEDGER, beside).is_empty());
        assert_eq!(complaints(LEDGER, "// A page.\nlet x = query.limit.unwrap_or(PAGE);\n").len(), 1);
        assert_eq!(complaints(LEDGER, "let x = query.limit.unwrap_or(PAGE); // Default: \n").len(), 1);
        assert_eq!(complaints(LEDGER, &format!("{beside}let y = x.unwrap_or(1);\nlet z = y.unwrap_or(1);\n")).len(), 1);
    }

    #[test]
    fn what_is_left_out_when_it_is_not_there_is_refused() {
        let skips = "    if let Some(order) = orders.get(index) {\n        rows.push(order);\n    }\n";
        assert_eq!(complaints(LEDGER, skips).len(), 1);
        let decides = "    if let Some(order) = orders.get(index) {\n        rows.push(order);\n    } else {\n        fail();\n    }\n";
        assert!(complaints(LEDGER, decides).is_empty());
        let ends = "    if let Some(order) = orders.get(index) {\n        return order;\n    }\n";
        assert!(complaints(LEDGER, ends).is_empty());
        assert!(complaints(LEDGER, "    if let Some(known) = known(key) {\n        return known;\n    }\n").is_empty());
    }

    #[test]
    fn what_is_no_default_passes() {
        for line in [
            "self.state.lock().unwrap_or_else(PoisonError::into_inner)",
            "flaw.map_or(Ok(()), |flaw| Err(flaw))",
            "text.strip_prefix('-').unwrap_or(text)",
            "digits.split_once('.').unwrap_or((digits, \"0\"))",
            "// never `unwrap_or_default()`",
        ] {
            assert!(complaints(LEDGER, &format!("{line}\n")).is_empty(), "{line}");
        }
        let time = "end.saturating_duration_since(now)\n";
        assert!(complaints("services/broker/src/operations/call.rs", time).is_empty());
    }

    #[test]
    fn what_is_no_services_own_is_left_alone() {
        let text = "let x = y.unwrap_or_default();\n";
        for path in [
            "services/ledger/tests/it/world.rs",
            "services/ledger/src/posting/fold_tests.rs",
            "services/broker/src/operations/scrub/tests.rs",
            "shared/testkit/src/pki.rs",
            "infra/xtask/src/main.rs",
        ] {
            assert!(complaints(path, text).is_empty(), "{path}");
        }
        assert_eq!(complaints("services/behavior/src/lib.rs", text).len(), 1, "a new service is held to it");
        assert!(complaints(LEDGER, &format!("#[cfg(test)]\nmod tests {{\n    {text}}}\n")).is_empty());
    }
}

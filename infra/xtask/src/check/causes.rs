//! Causes thrown away: whoever is told that something did not work must find out why. What the machine says of a file, a program or a connection is that
//! cause, and there is no second place to learn it from.
//!
//! Where the cause is of no use (what is looked for may be missing, what is removed may be gone), a comment says so, in the statement's lines or the one
//! before:
//!
//! ```text
//! let text = std::fs::read_to_string(path).ok()?; // Lost: a process that has ended meanwhile has no such file.
//! ```

use super::Complaints;
use super::placement::{code, is_program};
use super::sources::Source;

/// Dealings with the machine that fail for a reason.
const DEALINGS: [&str; 22] = [
    "fs::",
    "File::",
    "OpenOptions::",
    "TcpStream::",
    "UnixStream::",
    "TcpListener::",
    ".read_to_string(",
    ".read_to_end(",
    ".read_exact(",
    ".write_all(",
    ".canonicalize()",
    ".metadata()",
    ".spawn()",
    ".output()",
    ".try_wait()",
    ".lines().map_while(",
    "statvfs(",
    ".send().await",
    ".chunk().await",
    ".text().await",
    ".json().await",
    ".bytes().await",
];
/// What leaves an outcome without its cause.
const LOSSES: [&str; 11] = [
    ".ok()",
    ".is_ok()",
    ".is_err()",
    ".is_ok_and(",
    ".unwrap_or_default()",
    ".unwrap_or(",
    ".into_iter().flatten()",
    ".map_while(Result::ok)",
    ".map_err(|_",
    ".unwrap_or_else(|_",
    ".map_or(",
];
const MEANING: &str = "// Lost: ";

pub(super) fn thrown_away(files: &[Source]) -> Complaints {
    files.iter().filter(|file| is_held(&file.path)).flat_map(complaints).collect()
}

fn is_held(path: &str) -> bool {
    let ours = ["services/", "shared/", "infra/"].iter().any(|folder| path.starts_with(folder));
    // What only tests use, and the checks, which name what they forbid, are left alone.
    let exempt = ["shared/testkit/", "infra/xtask/src/check/"].iter().any(|folder| path.starts_with(folder));
    ours && !exempt && path.contains("/src/") && is_program(path)
}

fn complaints(file: &Source) -> Complaints {
    let lines: Vec<&str> = file.program().lines().collect();
    let mut complaints = Vec::new();
    let (mut statement, mut from, mut explained) = (String::new(), 0, false);
    for (number, line) in lines.iter().enumerate() {
        explained |= line.split_once(MEANING).is_some_and(|(_, why)| !why.trim().is_empty());
        let text = code(line).trim();
        if text.is_empty() {
            continue; // a comment belongs to what follows it
        }
        if statement.is_empty() {
            from = number + 1;
        }
        statement.push_str(text);
        if !text.ends_with([';', '{', '}', ',']) {
            continue;
        }
        if let Some(loss) = loss_in(&statement).filter(|_| !explained) {
            complaints.push(format!("{}:{from}: `{loss}` leaves out why: say it, or `{MEANING}…`", file.path));
        }
        statement.clear();
        explained = false;
    }
    complaints
}

/// The first thing in a statement that loses the cause of what stands before it.
fn loss_in(statement: &str) -> Option<&'static str> {
    let dealing = DEALINGS.iter().filter_map(|dealing| statement.find(dealing)).min()?;
    let after = statement.get(dealing..)?;
    LOSSES.into_iter().find(|loss| after.contains(loss))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Complaints {
        thrown_away(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    const LADDER: &str = "infra/ladder/src/server.rs";

    #[test]
    fn a_cause_that_is_thrown_away_is_refused_with_its_line() {
        for lost in [
            "let text = std::fs::read_to_string(path).ok()?;",
            "let text = std::fs::read_to_string(path).unwrap_or_default();",
            "let child = command.spawn().map_err(|_| Error::Start)?;",
            "let there = TcpStream::connect(address).is_ok();",
            "let files = std::fs::read_dir(folder).into_iter().flatten();",
            "let answer = request.send().await.map_err(|_gone| Error::Unavailable)?;",
        ] {
            let found = complaints(LADDER, &format!("fn f() {{\n    {lost}\n}}\n"));
            assert_eq!(found.len(), 1, "{lost}");
            assert!(found[0].starts_with("infra/ladder/src/server.rs:2: "), "{found:?}");
        }
        let long = "let text = std::fs::read_to_string(path)\n    .unwrap_or_default();\n";
        assert_eq!(complaints("services/auth/src/lib.rs", long).len(), 1);
    }

    #[test]
    fn a_cause_that_is_said_or_of_no_use_passes() {
        for kept in [
            "let text = std::fs::read_to_string(path)?;",
            "let text = std::fs::read_to_string(path).map_err(|e| format!(\"{e}\"))?;",
            "// Lost: it may have ended.\nlet text = std::fs::read_to_string(path).ok()?;",
            "let text = std::fs::read_to_string(path).ok()?; // Lost: it may have ended.",
            "let number = text.parse().ok()?;\nlet text = std::fs::read_to_string(path)?;",
            "let list = split.next().unwrap_or_default();",
        ] {
            assert!(complaints(LADDER, &format!("{kept}\n")).is_empty(), "{kept}");
        }
        // One reason is for one statement.
        let two = "// Lost: it may have ended.\nlet a = std::fs::read(x).ok()?;\nlet b = std::fs::read(x).ok()?;\n";
        assert_eq!(complaints(LADDER, two).len(), 1);
        assert_eq!(complaints(LADDER, "let a = std::fs::read(x).ok()?; // Lost: \n").len(), 1);
    }

    #[test]
    fn tests_and_their_kit_are_left_alone() {
        let lost = "let text = std::fs::read_to_string(path).ok()?;\n";
        for path in ["services/auth/tests/it/main.rs", "shared/testkit/src/pki.rs", "infra/xtask/src/check/causes.rs"] {
            assert!(complaints(path, lost).is_empty(), "{path}");
        }
        assert!(complaints(LADDER, &format!("#[cfg(test)]\nmod tests {{\n    {lost}}}\n")).is_empty());
    }
}

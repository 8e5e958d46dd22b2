//! One way to say no: the metric and the audit line of a refusal are written by `runtime::refusal`, so that none has one without the other.
//!
//! A decision that is no refusal is counted where it is made, and a comment says what it is, in the same line or the one before:
//!
//! ```text
//! // Decision: a layer that lets pass is counted as well.
//! metrics::decision(layer.name(), "pass");
//! ```

use super::Complaints;
use super::placement::{code, is_program, mentions};
use super::sources::Source;

/// Where decisions are counted and refusals are written.
const RECORDER: [&str; 2] = ["shared/runtime/src/metrics.rs", "shared/runtime/src/refusal.rs"];
const MEANING: &str = "// Decision: ";

pub(super) fn by_hand(files: &[Source]) -> Complaints {
    files.iter().filter(|file| is_held(&file.path)).flat_map(complaints).collect()
}

fn is_held(path: &str) -> bool {
    // This crate writes neither; it only names them.
    is_program(path) && !path.starts_with("infra/xtask/") && !RECORDER.contains(&path)
}

fn complaints(file: &Source) -> Complaints {
    let found = file.unexplained(MEANING, |lines| counted(lines.first()?).or_else(|| audited(lines)));
    let complaint = |(line, what)| {
        format!(
            "{}:{line}: {what} by hand: a `runtime::Refusal` or its `Record` writes both metric and line",
            file.path
        )
    };
    found.into_iter().map(complaint).collect()
}

fn counted(line: &str) -> Option<&'static str> {
    let line = code(line);
    let named = line.contains("metrics::") && mentions(line, "decision");
    (named || line.contains("defense.decisions")).then_some("a decision is counted")
}

/// `audit!("refused", …)`, or with an event that only the running program knows. `lines` begins with the macro.
fn audited(lines: &[&str]) -> Option<&'static str> {
    let (first, rest) = lines.split_first()?;
    let (_, event) = code(first).split_once("audit!(")?;
    let event = if event.trim().is_empty() { rest.first()?.trim() } else { event };
    let other = event.starts_with('"') && !event.starts_with("\"refused\"") && !event.starts_with("\"challenged\"");
    (!other).then_some("the audit line of a refusal is written")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Complaints {
        by_hand(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    const CALL: &str = "services/broker/src/operations/call.rs";

    #[test]
    fn a_decision_by_hand_is_refused_with_its_line() {
        for text in [
            "runtime::metrics::decision(\"egress\", \"refuse\");",
            "use runtime::metrics::{decision, meter};",
            "meter().u64_counter(\"defense.decisions\")",
            "runtime::audit!(\"refused\", layer = \"egress\", outcome = \"refused\", reason);",
            "runtime::audit!(\n    \"challenged\",\n    layer = \"egress\",\n);",
            "runtime::audit!(event, layer = \"egress\", reason);",
            "// What it is.\nruntime::audit!(\n    event,\n);",
        ] {
            let complaints = complaints(CALL, &format!("fn f() {{\n{text}\n}}\n"));
            assert_eq!(complaints.len(), 1, "{text}");
            let line = if text.starts_with("//") { 3 } else { 2 };
            assert!(complaints[0].starts_with(&format!("{CALL}:{line}: ")), "{complaints:?}");
        }
    }

    #[test]
    fn the_recorder_and_a_decision_that_is_no_refusal_pass() {
        let pass =
            "// Decision: a layer that lets pass is counted as well.\nmetrics::decision(layer.name(), \"pass\");\n";
        assert!(complaints("shared/defense/src/pipeline.rs", pass).is_empty());
        assert!(complaints("shared/runtime/src/refusal.rs", "metrics::decision(self.layer, word);").is_empty());
        for other in [
            "runtime::audit!(\"payout\", outcome = \"refused\", reason = said);",
            "runtime::audit!(\n    \"webhook\",\n    outcome,\n);",
            "Record::new(\"vault\", reason).write();",
            "// never `metrics::decision`",
            "let decision = decide();",
        ] {
            assert!(complaints(CALL, &format!("{other}\n")).is_empty(), "{other}");
        }
    }

    #[test]
    fn tests_may_count_what_they_like() {
        let text = "runtime::metrics::decision(\"message_signature\", \"refuse\");\n";
        assert!(complaints("shared/runtime/tests/it/probe.rs", text).is_empty());
        assert!(complaints(CALL, &format!("#[cfg(test)]\nmod tests {{\n    {text}}}\n")).is_empty());
    }
}

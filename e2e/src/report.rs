//! The story as one self-contained HTML page: timeline, each step's trace, attacks. No script, no request to anywhere; everything is there for who has
//! no mouse and for who has a small screen.

use std::time::Duration;

use anyhow::{Result, ensure};
use askama::Template;

use crate::narrator::{Attack, Narrator, Step};
use crate::receipt::Receipt;
use crate::stack::{Stack, StartupStep};
use crate::trace::Trace;
use crate::waterfall::{Bar, bars};

/// Whatever a partner or an attacker sent stands here as text: the template escapes it.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    postgres: &'a str,
    facts: [(String, &'static str); 4],
    chapters: Vec<Vec<Told<'a>>>,
    /// Milliseconds.
    total: f64,
    attacks: &'a [Attack],
    receipt: &'a Receipt,
    startup: &'a [StartupStep],
}

/// A step and its trace.
struct Told<'a> {
    step: &'a Step,
    trace: &'a Trace,
    bars: Vec<Bar<'a>>,
}

/// `traces` are those of the narrator's steps, in their order.
pub fn render(stack: &Stack, narrator: &Narrator, traces: &[Trace], receipt: &Receipt) -> Result<String> {
    let Narrator { steps, attacks, .. } = narrator;
    ensure!(steps.len() == traces.len(), "{} steps, {} traces", steps.len(), traces.len());
    let total = narrator.elapsed_ms();
    let startup = Duration::from_millis(stack.startup.iter().map(|step| step.millis).sum());
    let facts = [
        (format!("{:.1} s", total / 1e3), "the story"),
        (steps.len().to_string(), "steps, each with its trace"),
        (format!("{0} of {0}", attacks.len()), "attacks stopped"),
        (format!("{:.1} s", startup.as_secs_f64()), "from nothing to ready"),
    ];
    let page = Page {
        postgres: &stack.postgres,
        facts,
        chapters: chapters(steps, traces),
        total,
        attacks,
        receipt,
        startup: &stack.startup,
    };
    Ok(page.render()?)
}

fn chapters<'a>(steps: &'a [Step], traces: &'a [Trace]) -> Vec<Vec<Told<'a>>> {
    let mut chapters: Vec<Vec<Told<'a>>> = Vec::new();
    for (step, trace) in steps.iter().zip(traces) {
        let told = Told { step, trace, bars: bars(&trace.spans) };
        match chapters.last_mut() {
            Some(chapter) if chapter.last().is_some_and(|last| last.step.chapter == step.chapter) => chapter.push(told),
            _ => chapters.push(vec![told]),
        }
    }
    chapters
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::narrator::Evidence;
    use crate::trace::{Expected, Span};

    fn span(id: &str, parent: Option<&str>, start: u64) -> Span {
        let attributes = BTreeMap::from([("<u>".to_owned(), "<s>".into())]);
        Span { attributes, ..Span::of_a_test(id, parent, start) }
    }

    fn step(chapter: &str, title: &str) -> Step {
        Step {
            chapter: chapter.into(),
            title: title.into(),
            asked: "a".into(),
            checked: vec!["c".into()],
            outcome: "o".into(),
            start_ms: 0.0,
            millis: 1.0,
            trace: Expected { id: "1".into(), root: None, edges: &[] },
        }
    }

    #[test]
    fn each_step_has_its_own_trace_in_its_chapter() {
        let steps = [step("one", "first"), step("one", "second"), step("two", "third")];
        let traces = ["1", "2", "3"].map(|id| Trace { id: id.into(), spans: vec![span(id, None, 1)] });
        let chapters = chapters(&steps, &traces);
        let ids = |told: &Vec<Told<'_>>| told.iter().map(|told| told.trace.id.clone()).collect::<Vec<_>>();
        assert_eq!(chapters.iter().map(ids).collect::<Vec<_>>(), [vec!["1", "2"], vec!["3"]]);
        assert!(chapters.iter().flatten().all(|told| told.bars[0].span.name == told.trace.id));
    }

    #[test]
    fn what_a_partner_sends_cannot_become_markup() {
        let attack = Attack {
            number: 1,
            title: "t".into(),
            seen: "<b a=\"x\">&".into(),
            layer: "waf".into(),
            evidence: Evidence::Seen("<em>".into()),
            millis: 1.0,
        };
        let (steps, traces) =
            ([step("<h6>", "<script>")], [Trace { id: "1".into(), spans: vec![span("\"><i", None, 1)] }]);
        let line = r#"{"layer":"l","said":"pass","micros":1,"saw":{"subject":"<img src=x>"}}"#;
        let receipt = format!(
            r#"{{"request_id":"r","trace_id":null,"route":"/","method":"GET","policy":"p","status":200,"made":null,"layers":[{line}]}}"#
        );
        let receipt = serde_json::from_str(&receipt).unwrap();
        let page = Page {
            postgres: "",
            facts: std::array::from_fn(|_| (String::new(), "")),
            chapters: chapters(&steps, &traces),
            total: 1.0,
            attacks: &[attack],
            receipt: &receipt,
            startup: &[],
        };
        let html = page.render().unwrap();
        assert!(html.contains("&#60;b a=&#34;x&#34;&#62;&#38;") && html.contains("&#60;script&#62;"), "{html}");
        assert!(html.contains("<a href=\"../../docs/attacks.md#a1\""), "{html}");
        for markup in ["<b a=", "<script>", "<img", "\"><i", "<em>", "<h6>", "<u>", "<s>"] {
            assert!(!html.contains(markup), "{markup}: {html}");
        }
    }
}

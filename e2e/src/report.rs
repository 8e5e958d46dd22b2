//! The story as one self-contained HTML page: timeline, each step's trace, attacks. No script, no request to anywhere; everything is there for who has
//! no mouse and for who has a small screen.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use askama::Template;

use crate::narrator::{Attack, Narrator, Step};
use crate::receipt::Receipt;
use crate::stack::{Stack, StartupStep};
use crate::trace::{Span, Trace};

/// Who has a color of its own, by its place here (`report.css`).
const COLORED: [&str; 6] = ["phone", "operator", "auth", "attestation", "ledger", "broker"];

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

/// A span of the trace; `left` and `width` in hundredths of the whole.
struct Bar<'a> {
    span: &'a Span,
    depth: usize,
    /// Place in [`COLORED`], or the one after the last.
    color: usize,
    left: f64,
    width: f64,
    millis: f64,
}

impl Bar<'_> {
    /// What is known of the span, in words.
    fn notes(&self) -> impl Iterator<Item = (&str, String)> {
        let words = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.span.attributes.iter().map(move |(name, value)| (name.as_str(), words(value)))
    }
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

fn bars(spans: &[Span]) -> Vec<Bar<'_>> {
    let first = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
    let last = spans.iter().map(|span| span.end_ns).max().unwrap_or_default();
    let millis = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e3;
    let share = |nanos: u64| millis(nanos) / millis(last.saturating_sub(first).max(1)) * 100.0;
    let bar = |(span, depth): (_, usize)| {
        let span: &Span = span;
        let length = span.end_ns.saturating_sub(span.start_ns);
        Bar {
            span,
            depth,
            color: COLORED.iter().position(|name| *name == span.service).unwrap_or(COLORED.len()),
            left: share(span.start_ns - first),
            width: share(length),
            millis: millis(length),
        }
    };
    ordered(spans).into_iter().map(bar).collect()
}

/// Spans depth first, children by start; a span whose parent is unknown stands at the top.
fn ordered(spans: &[Span]) -> Vec<(&Span, usize)> {
    let known: HashMap<&str, &Span> = spans.iter().map(|span| (span.span_id.as_str(), span)).collect();
    let mut children: HashMap<&str, Vec<&Span>> = HashMap::new();
    let mut roots = Vec::new();
    for span in spans {
        match span.parent.as_deref().filter(|parent| known.contains_key(parent)) {
            Some(parent) => children.entry(parent).or_default().push(span),
            None => roots.push(span),
        }
    }
    roots.sort_by_key(|span| std::cmp::Reverse(span.start_ns));
    let mut stack: Vec<(&Span, usize)> = roots.into_iter().map(|span| (span, 0)).collect();
    let mut out = Vec::new();
    while let Some((span, depth)) = stack.pop() {
        out.push((span, depth));
        let mut below = children.remove(span.span_id.as_str()).unwrap_or_default();
        below.sort_by_key(|span| std::cmp::Reverse(span.start_ns));
        stack.extend(below.into_iter().map(|span| (span, depth + 1)));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::narrator::Evidence;
    use crate::trace::Expected;

    fn span(id: &str, parent: Option<&str>, start: u64) -> Span {
        Span {
            service: "s".into(),
            name: id.into(),
            kind: "internal".into(),
            span_id: id.into(),
            parent: parent.map(str::to_owned),
            start_ns: start,
            end_ns: start + 1,
            attributes: BTreeMap::from([("<u>".to_owned(), "<s>".into())]),
        }
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
    fn spans_stand_below_their_parents_in_order_of_start() {
        let spans = [span("c", Some("a"), 3), span("a", None, 1), span("b", Some("a"), 2), span("x", Some("lost"), 9)];
        let order: Vec<_> = ordered(&spans).iter().map(|(span, depth)| (span.name.clone(), *depth)).collect();
        assert_eq!(order, [("a".into(), 0), ("b".into(), 1), ("c".into(), 1), ("x".into(), 0)]);
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

//! The story as one self-contained HTML page: timeline, attacks, one trace. No script, no request to anywhere.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use askama::Template;
use serde::Deserialize;

use crate::narrator::{Attack, Narrator, Step};
use crate::receipt::Receipt;
use crate::stack::{Stack, StartupStep};

const COLORS: &[&str] = &["#1d4ed8", "#0f7b53", "#b45309", "#7c3aed", "#be185d", "#0e7490", "#4d7c0f", "#475569"];

/// A finished span, as the collector gives it.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// `service.name`.
    pub service: String,
    pub name: String,
    /// Hexadecimal.
    pub span_id: String,
    /// Hexadecimal; absent or empty at the root.
    #[serde(default)]
    pub parent: Option<String>,
    /// Nanoseconds since the epoch.
    pub start_ns: u64,
    /// Nanoseconds since the epoch.
    pub end_ns: u64,
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// A traced request: its title and its spans.
pub struct Trace {
    /// What the request was.
    pub title: String,
    /// W3C trace id.
    pub id: String,
    /// Its spans, in any order.
    pub spans: Vec<Span>,
}

/// Whatever a partner or an attacker sent stands here as text: the template escapes it.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    postgres: &'a str,
    facts: [(String, &'static str); 4],
    chapters: Vec<&'a [Step]>,
    /// Milliseconds.
    total: f64,
    attacks: &'a [Attack],
    trace: &'a Trace,
    receipt: &'a Receipt,
    bars: Vec<Bar<'a>>,
    startup: &'a [StartupStep],
}

/// A span of the trace; `left` and `width` in hundredths of the whole.
struct Bar<'a> {
    span: &'a Span,
    depth: usize,
    color: &'static str,
    left: f64,
    width: f64,
    millis: f64,
    notes: String,
}

pub fn render(stack: &Stack, narrator: &Narrator, trace: &Trace, receipt: &Receipt) -> askama::Result<String> {
    let total = narrator.elapsed_ms();
    let startup = Duration::from_millis(stack.startup.iter().map(|step| step.millis).sum());
    let attacks = narrator.attacks.len();
    let facts = [
        (format!("{:.1} s", total / 1e3), "the story"),
        (narrator.steps.len().to_string(), "steps"),
        (format!("{attacks} of {attacks}"), "attacks stopped"),
        (format!("{:.1} s", startup.as_secs_f64()), "from nothing to ready"),
    ];
    let page = Page {
        postgres: &stack.postgres,
        facts,
        chapters: narrator.steps.chunk_by(|a, b| a.chapter == b.chapter).collect(),
        total,
        attacks: &narrator.attacks,
        trace,
        receipt,
        bars: bars(&trace.spans),
        startup: &stack.startup,
    };
    page.render()
}

fn bars(spans: &[Span]) -> Vec<Bar<'_>> {
    let first = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
    let last = spans.iter().map(|span| span.end_ns).max().unwrap_or_default();
    let millis = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e3;
    let share = |nanos: u64| millis(nanos) / millis(last.saturating_sub(first).max(1)) * 100.0;
    let mut services: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for (span, depth) in ordered(spans) {
        let index = services.iter().position(|&service| service == span.service).unwrap_or_else(|| {
            services.push(&span.service);
            services.len() - 1
        });
        let length = span.end_ns.saturating_sub(span.start_ns);
        let notes: Vec<String> = span.attributes.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        out.push(Bar {
            span,
            depth,
            color: COLORS.get(index % COLORS.len()).copied().unwrap_or("#475569"),
            left: share(span.start_ns - first),
            width: share(length),
            millis: millis(length),
            notes: notes.join("\n"),
        });
    }
    out
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
    use super::*;

    fn span(id: &str, parent: Option<&str>, start: u64) -> Span {
        Span {
            service: "s".into(),
            name: id.into(),
            span_id: id.into(),
            parent: parent.map(str::to_owned),
            start_ns: start,
            end_ns: start + 1,
            attributes: BTreeMap::new(),
        }
    }

    #[test]
    fn spans_stand_below_their_parents_in_order_of_start() {
        let spans = [span("c", Some("a"), 3), span("a", None, 1), span("b", Some("a"), 2), span("x", Some("lost"), 9)];
        let order: Vec<_> = ordered(&spans).iter().map(|(span, depth)| (span.name.clone(), *depth)).collect();
        assert_eq!(order, [("a".into(), 0), ("b".into(), 1), ("c".into(), 1), ("x".into(), 0)]);
    }

    #[test]
    fn what_a_partner_sends_cannot_become_markup() {
        let attack = Attack {
            number: 1,
            title: "t".into(),
            seen: "<b a=\"x\">&".into(),
            layer: "waf".into(),
            reason: "r".into(),
            millis: 1.0,
        };
        let trace = Trace { title: "<script>".into(), id: "1".into(), spans: vec![span("\"><i", None, 1)] };
        let line = r#"{"layer":"l","said":"pass","micros":1,"saw":{"subject":"<img src=x>"}}"#;
        let receipt = format!(
            r#"{{"request_id":"r","trace_id":null,"route":"/","method":"GET","policy":"p","status":200,"made":null,"layers":[{line}]}}"#
        );
        let receipt = serde_json::from_str(&receipt).unwrap();
        let page = Page {
            postgres: "",
            facts: std::array::from_fn(|_| (String::new(), "")),
            chapters: Vec::new(),
            total: 1.0,
            attacks: &[attack],
            trace: &trace,
            receipt: &receipt,
            bars: bars(&trace.spans),
            startup: &[],
        };
        let html = page.render().unwrap();
        assert!(html.contains("&#60;b a=&#34;x&#34;&#62;&#38;") && html.contains("&#60;script&#62;"), "{html}");
        assert!(html.contains("<a href=\"../../docs/attacks.md#a1\""), "{html}");
        assert!(
            !html.contains("<b a=") && !html.contains("<script>") && !html.contains("<img") && !html.contains("\"><i"),
            "{html}"
        );
    }
}

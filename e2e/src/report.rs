//! The story as one self-contained HTML page: timeline, attacks, one trace. No script, no request to anywhere.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::narrator::{Attack, Narrator, Step};
use crate::stack::Stack;

const STYLE: &str = include_str!("report.css");
const COLORS: &[&str] = &["#1d4ed8", "#0f7b53", "#b45309", "#7c3aed", "#be185d", "#0e7490", "#4d7c0f", "#475569"];

/// A finished span, as the collector gives it.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// `service.name`.
    pub service: String,
    /// Its name.
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
    /// As sent.
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

/// Renders the page.
pub fn render(stack: &Stack, narrator: &Narrator, trace: &Trace) -> String {
    let mut html = String::new();
    let total = narrator.elapsed_ms();
    let startup: u64 = stack.startup.iter().map(|step| step.millis).sum();
    let _ok = write!(
        html,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>Redoubt: a defended transfer</title><style>{STYLE}</style><main>\
         <h1>A defended transfer, end to end</h1>\
         <p class=lead>Two emulated phones, real sockets, real TLS, a real PostgreSQL ({}). \
         Every request below passed each layer in turn; every attack was stopped, and the operator’s log says by which.</p>\
         <div class=facts>{}{}{}{}</div>",
        escape(&stack.postgres),
        fact(&format!("{:.1} s", total / 1e3), "the story"),
        fact(&narrator.steps.len().to_string(), "steps"),
        fact(&format!("{} of {}", narrator.attacks.len(), narrator.attacks.len()), "attacks stopped"),
        fact(&format!("{:.1} s", Seconds::from_millis(startup)), "from nothing to ready"),
    );
    timeline(&mut html, &narrator.steps, total);
    attacks(&mut html, &narrator.attacks);
    waterfall(&mut html, trace);
    started(&mut html, stack);
    html.push_str(
        "<footer>Phones, Google’s and Apple’s roots and the partner bank are synthetic stand-ins, trusted only by the \
         development policy. Everything else is what runs in production.</footer></main></html>",
    );
    html
}

struct Seconds;

impl Seconds {
    fn from_millis(millis: u64) -> f64 {
        std::time::Duration::from_millis(millis).as_secs_f64()
    }
}

fn fact(value: &str, label: &str) -> String {
    format!("<div class=fact><b>{}</b><span>{}</span></div>", escape(value), escape(label))
}

fn timeline(html: &mut String, steps: &[Step], total: f64) {
    let mut chapter = "";
    for step in steps {
        if step.chapter != chapter {
            chapter = &step.chapter;
            let _ok = write!(html, "<h2>{}</h2>", escape(chapter));
        }
        let left = step.start_ms / total * 100.0;
        let width = step.millis / total * 100.0;
        let chips: Vec<String> = step.checked.iter().map(|check| format!("<span>{}</span>", escape(check))).collect();
        let _ok = write!(
            html,
            "<details class=step><summary><span>{}</span><span class=bar><i style=\"left:{left:.2}%;width:{width:.2}%\"></i></span>\
             <span class=ms>{:.0} ms</span></summary><dl><dt>asked</dt><dd>{}</dd><dt>checked</dt><dd class=chips>{}</dd>\
             <dt>result</dt><dd>{}</dd>{}</dl></details>",
            escape(&step.title),
            step.millis,
            escape(&step.asked),
            chips.join(" "),
            escape(&step.outcome),
            step.trace_id
                .as_ref()
                .map_or(String::new(), |id| format!("<dt>trace</dt><dd><code>{}</code></dd>", escape(id))),
        );
    }
}

fn attacks(html: &mut String, attacks: &[Attack]) {
    html.push_str(
        "<h2>What was tried, and what stopped it</h2><p class=lead>The attacker sees one generic answer. \
         The layer and its reason are in the operator’s log only.</p>\
         <table><tr><th>Attack<th>Attacker saw<th>Stopped by<th>Reason in the log</tr>",
    );
    for attack in attacks {
        let _ok = write!(
            html,
            "<tr><td>{} <small title=\"number in the attack catalogue\">#{}</small><td>{}<td class=layer>{}<td><code>{}</code></tr>",
            escape(&attack.title),
            attack.number,
            escape(&attack.seen),
            escape(&attack.layer.replace('_', " ")),
            escape(&attack.reason),
        );
    }
    html.push_str("</table>");
}

fn waterfall(html: &mut String, trace: &Trace) {
    let _ok = write!(
        html,
        "<h2>One trace, from the phone to PostgreSQL and to the broker</h2><p class=lead>{} · <code>{}</code></p><div class=trace>",
        escape(&trace.title),
        escape(&trace.id)
    );
    let first = trace.spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
    let last = trace.spans.iter().map(|span| span.end_ns).max().unwrap_or_default();
    let total = nanos(last.saturating_sub(first).max(1));
    let mut colors: Vec<&str> = Vec::new();
    for (span, depth) in ordered(&trace.spans) {
        let index = colors.iter().position(|&service| service == span.service).unwrap_or_else(|| {
            colors.push(&span.service);
            colors.len() - 1
        });
        let color = COLORS.get(index % COLORS.len()).copied().unwrap_or("#475569");
        let left = nanos(span.start_ns - first) / total * 100.0;
        let length = span.end_ns.saturating_sub(span.start_ns);
        let width = nanos(length) / total * 100.0;
        let notes: Vec<String> = span.attributes.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let _ok = write!(
            html,
            "<div class=span title=\"{}\"><span class=name style=\"padding-left:{}px\"><span class=svc style=\"color:{color}\">{}</span> {}</span>\
             <span class=lane><i style=\"left:{left:.2}%;width:{width:.2}%;background:{color}\"></i></span><span class=ms>{:.1} ms</span></div>",
            escape(&notes.join("\n")),
            depth * 13,
            escape(&span.service),
            escape(&span.name),
            nanos(length) / 1e6,
        );
    }
    html.push_str("</div>");
}

fn nanos(value: u64) -> f64 {
    std::time::Duration::from_nanos(value).as_secs_f64() * 1e9
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

fn started(html: &mut String, stack: &Stack) {
    html.push_str("<h2>From nothing to ready</h2><table><tr><th>Step<th>Time</tr>");
    for step in &stack.startup {
        let _ok = write!(html, "<tr><td>{}<td class=ms>{} ms</tr>", escape(&step.name), step.millis);
    }
    html.push_str("</table>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
        assert_eq!(escape("<b a=\"x\">&"), "&lt;b a=&quot;x&quot;&gt;&amp;");
    }
}

//! A trace as a waterfall: `waterfall.html` shows it, in the report and in the console.

use std::collections::HashMap;
use std::time::Duration;

use crate::trace::Span;

/// Who has a color of its own, by its place here (`report.css`).
const COLORED: [&str; 6] = ["phone", "operator", "auth", "attestation", "ledger", "broker"];
/// Steps to the right; who stands deeper is not moved farther.
const DEEPEST: usize = 12;
/// Hundredths that can still be seen.
const NARROWEST: f64 = 0.4;

/// A span of the trace; `left` and `width` in hundredths of the whole.
pub(crate) struct Bar<'a> {
    pub(crate) span: &'a Span,
    pub(crate) depth: usize,
    /// Place in [`COLORED`], or the one after the last.
    pub(crate) color: usize,
    pub(crate) left: f64,
    pub(crate) width: f64,
    pub(crate) millis: f64,
}

impl Bar<'_> {
    /// What is known of the span, in words.
    pub(crate) fn notes(&self) -> impl Iterator<Item = (&str, String)> {
        self.span.attributes.iter().map(|(name, value)| (name.as_str(), crate::in_words(value)))
    }
}

/// The spans, each below its parent.
pub(crate) fn bars(spans: &[Span]) -> Vec<Bar<'_>> {
    let first = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
    let last = spans.iter().map(|span| span.end_ns).max().unwrap_or_default();
    let millis = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e3;
    let share = |nanos: u64| millis(nanos) / millis(last.saturating_sub(first).max(1)) * 100.0;
    let bar = |(span, depth): (_, usize)| {
        let span: &Span = span;
        let length = span.end_ns.saturating_sub(span.start_ns);
        let (left, width) = (share(span.start_ns - first), share(length).max(NARROWEST));
        Bar {
            span,
            depth: depth.min(DEEPEST),
            color: COLORED.iter().position(|name| *name == span.service).unwrap_or(COLORED.len()),
            left: left.min(100.0 - NARROWEST),
            width,
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
    use super::*;

    #[test]
    fn spans_stand_below_their_parents_in_order_of_start() {
        let spans = [("c", Some("a"), 3), ("a", None, 1), ("b", Some("a"), 2), ("x", Some("lost"), 9)]
            .map(|(id, parent, start)| Span::of_a_test(id, parent, start));
        let order: Vec<_> = ordered(&spans).iter().map(|(span, depth)| (span.name.clone(), *depth)).collect();
        assert_eq!(order, [("a".into(), 0), ("b".into(), 1), ("c".into(), 1), ("x".into(), 0)]);
    }
}

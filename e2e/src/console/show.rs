//! What is known, as it is shown.

use api::internal::Invariants;
use serde_json::{Map, Value};

use super::ask::{Attributes, Summary};
use super::logs::{Refusal, Request};

/// A request in a list.
pub(super) struct Row {
    /// Of the day, UTC.
    pub(super) time: String,
    pub(super) request: Request,
    pub(super) client: String,
    pub(super) layers: Vec<Layer>,
}

/// A layer and what it said.
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) said: String,
}

impl Layer {
    /// A sign beside the word, for whoever cannot tell colors.
    pub(super) fn sign(&self) -> &'static str {
        // One in shadow is shown as what it says; the word tells that it does not count.
        match self.said.trim_start_matches("shadow_") {
            "pass" => "✓",
            "challenge" => "…",
            _ => "✗",
        }
    }

    pub(super) fn name_in_words(&self) -> String {
        self.name.replace('_', " ")
    }
}

/// A law of the books and whether it holds.
pub(super) struct Law {
    pub(super) says: &'static str,
    /// How often it is broken.
    pub(super) broken: i64,
}

/// A trace in a list.
pub(super) struct Found {
    pub(super) time: String,
    pub(super) summary: Summary,
}

impl Found {
    pub(super) fn millis(&self) -> f64 {
        std::time::Duration::from_nanos(self.summary.length_ns).as_secs_f64() * 1e3
    }
}

impl From<Summary> for Found {
    fn from(summary: Summary) -> Self {
        Self { time: of_nanos(summary.start_ns), summary }
    }
}

/// The requests with what their spans know, which come a second later; the layers of a request that has none yet are those that its log names.
pub(super) fn rows(requests: Vec<Request>, spans: &Attributes) -> Vec<Row> {
    let row = |request: Request| {
        let span = spans.get(&request.said.request_id);
        let refusal = request.refusal.as_ref();
        let of_log = || refusal.map(|refusal| refusal.client.clone());
        let client = span.and_then(|span| word(span, "user_agent.original")).or_else(of_log);
        let decisions = span.and_then(|span| word(span, "redoubt.decisions"));
        let mut layers = decisions.map_or_else(Vec::new, |decisions| layers(&decisions));
        // A handler's own no is no layer's of the engine.
        layers.extend(refusal.filter(|no| layers.iter().all(|layer| layer.name != no.layer)).map(fell));
        // Default: a program that does not say what it is.
        Row { time: of_day(&request.time), client: client.unwrap_or_default(), layers, request }
    };
    requests.into_iter().map(row).collect()
}

fn layers(decisions: &str) -> Vec<Layer> {
    let pairs = decisions.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, said)| Layer { name: name.to_owned(), said: said.to_owned() }).collect()
}

fn fell(refusal: &Refusal) -> Layer {
    let said = match refusal.word.as_str() {
        "challenged" => "challenge",
        "decoy" => "decoy",
        _ => "refuse",
    };
    Layer { name: refusal.layer.clone(), said: said.to_owned() }
}

pub(super) fn word(span: &Map<String, Value>, name: &str) -> Option<String> {
    Some(span.get(name)?.as_str()?.to_owned())
}

/// The laws, each by itself.
pub(super) fn laws(books: &Invariants) -> Vec<Law> {
    [
        ("every currency sums to zero", books.unbalanced_currencies),
        ("every balance follows from its entries", books.unequal_accounts),
        ("no account's versions have a gap", books.gapped_accounts),
        ("what is in clearing is what payouts have not ended", books.unequal_clearings),
        ("every transfer has its entries", books.transfers_without_entries),
        ("every transfer says what its entries do", books.transfers_unlike_entries),
    ]
    .into_iter()
    .map(|(says, broken)| Law { says, broken })
    .collect()
}

/// `2026-11-27T11:15:48.005025Z` is `11:15:48.005`.
pub(super) fn of_day(time: &str) -> String {
    // Default: one that is not written so is shown as it is.
    time.get(11..23).unwrap_or(time).to_owned()
}

pub(super) fn of_nanos(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000 % 86_400;
    let millis = nanos / 1_000_000 % 1_000;
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_day() {
        assert_eq!(of_day("2026-11-27T11:15:48.005025Z"), "11:15:48.005");
        assert_eq!(of_nanos(1_795_778_148_005_999_999), "11:15:48.005");
        assert_eq!(of_day("ö"), "ö");
    }
}

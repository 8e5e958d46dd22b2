//! What counts as a provider's word on an order: a status *and* a value in the body, as the manifest lists them.
//!
//! A status alone proves nothing. A firewall in front of the bank, a moved path or a proxy answers 403, 404 or 400 as well, and behind it the
//! order may be on the books. So what is not listed is not a word, and the outcome stays unknown.

use serde::{Deserialize, Serialize};

use super::document::Document;

/// One agreed answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    pub status: u16,
    /// Dotted path to a text in the JSON body: `error.code`.
    pub field: String,
    /// The texts that are meant.
    pub values: Vec<String>,
}

/// What an operation of the kind `status` says of an order: the provider's texts, sorted into what they mean.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Standings {
    /// Dotted path to the text.
    pub field: String,
    /// The order is on the books and not at its end.
    pub accepted: Vec<String>,
    pub paid: Vec<String>,
    /// It is not paid and never will be.
    pub failed: Vec<String>,
    /// It was paid, and the money has come back.
    #[serde(default)]
    pub returned: Vec<String>,
}

impl Shape {
    /// Whether an answer is this one.
    pub fn fits(&self, status: u16, body: &Document) -> bool {
        self.status == status
            && text_at(body, &self.field).is_some_and(|text| self.values.iter().any(|value| value == text))
    }

    /// Whether it can be meant by somebody.
    pub fn is_sound(&self) -> bool {
        (200..600).contains(&self.status) && is_path(&self.field) && is_list(&self.values)
    }

    /// Whether one answer could be both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.status == other.status
            && self.field == other.field
            && self.values.iter().any(|value| other.values.contains(value))
    }
}

impl Standings {
    /// The word of the house for what `body` says; `None` for a text that was not agreed.
    pub fn outcome(&self, body: &Document) -> Option<&'static str> {
        let text = text_at(body, &self.field)?;
        self.lists().into_iter().find(|(_, values)| values.iter().any(|value| value == text)).map(|(word, _)| word)
    }

    /// Whether each text has one meaning.
    pub fn is_sound(&self) -> bool {
        let mut all: Vec<&String> = self.lists().into_iter().flat_map(|(_, values)| values).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        is_path(&self.field)
            && all.len() == count
            && [&self.accepted, &self.paid, &self.failed].iter().all(|list| is_list(list))
    }

    fn lists(&self) -> [(&'static str, &Vec<String>); 4] {
        [("accepted", &self.accepted), ("paid", &self.paid), ("failed", &self.failed), ("returned", &self.returned)]
    }
}

fn text_at<'a>(body: &'a Document, path: &str) -> Option<&'a str> {
    let member = |value: &'a Document, name: &str| match value {
        Document::Object(members) => members.get(name),
        _ => None,
    };
    match path.split('.').try_fold(body, member)? {
        Document::Text(text) => Some(text),
        _ => None,
    }
}

fn is_path(path: &str) -> bool {
    path.split('.').all(|name| !name.is_empty() && name != "*")
}

fn is_list(values: &[String]) -> bool {
    !values.is_empty() && values.iter().all(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document(value: Value) -> Document {
        value.into()
    }

    fn shape() -> Shape {
        Shape { status: 422, field: "error.code".to_owned(), values: vec!["account_closed".to_owned()] }
    }

    #[test]
    fn a_refusal_is_a_status_and_a_text_and_neither_alone() {
        assert!(shape().fits(422, &document(json!({ "error": { "code": "account_closed", "message": "x" } }))));
        for (status, body) in [
            (403, json!({ "error": { "code": "account_closed" } })),
            (422, json!({ "error": { "code": "try_later" } })),
            (422, json!({ "error": { "code": ["account_closed"] } })),
            (422, json!({ "code": "account_closed" })),
            (422, json!("account_closed")),
            (422, Value::Null),
        ] {
            assert!(!shape().fits(status, &document(body.clone())), "{status} {body}");
        }
    }

    #[test]
    fn a_standing_is_read_by_the_agreed_texts_only() {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let standings = Standings {
            field: "status".to_owned(),
            accepted: texts(&["accepted", "pending"]),
            paid: texts(&["paid"]),
            failed: texts(&["failed", "rejected"]),
            returned: Vec::new(),
        };
        assert!(standings.is_sound());
        assert_eq!(standings.outcome(&document(json!({ "status": "pending" }))), Some("accepted"));
        assert_eq!(standings.outcome(&document(json!({ "status": "rejected" }))), Some("failed"));
        assert_eq!(standings.outcome(&document(json!({ "status": "PAID" }))), None);
        assert_eq!(standings.outcome(&document(json!({}))), None);
        assert!(!Standings { failed: texts(&["paid"]), ..standings }.is_sound(), "one text with two meanings");
    }
}

//! Which fields of a third party's answer pass to the caller. What is not listed does not pass.
//!
//! An entry is a dotted path to a *scalar*: `id`, `fee.amount`; `*` stands for every member of an object or every element of
//! an array: `rates.*`, `items.*.id`. A trailing `?` makes the field optional; without it an answer that lacks the field is
//! not the answer that was agreed and fails as a whole.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;

/// No scalar that passes is longer: a field cannot become a channel for whatever else the provider stores.
const MAX_TEXT: usize = 1024;

/// The compiled list.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    root: BTreeMap<String, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Scalar { optional: bool },
    Members(BTreeMap<String, Node>),
}

/// An entry of the list that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("response field `{0}` is empty, repeated, or both a value and an object")]
pub struct FieldError(String);

/// An answer that is not the agreed one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the answer's field `{path}` {problem}")]
pub struct AnswerError {
    /// The field, as in the manifest.
    pub path: String,
    /// What is wrong.
    pub problem: &'static str,
}

impl AllowList {
    /// Compiles the entries of a manifest.
    pub fn new(entries: &[String]) -> Result<Self, FieldError> {
        let mut root = BTreeMap::new();
        for entry in entries {
            let (path, optional) = entry.strip_suffix('?').map_or((entry.as_str(), false), |path| (path, true));
            let segments: Vec<&str> = path.split('.').collect();
            insert(&mut root, &segments, optional).ok_or_else(|| FieldError(entry.clone()))?;
        }
        Ok(Self { root })
    }

    /// The allowed part of `answer`.
    pub fn apply(&self, answer: Value) -> Result<Map<String, Value>, AnswerError> {
        match filter(answer, &self.root, "")? {
            Value::Object(members) => Ok(members),
            _ => Err(AnswerError { path: String::new(), problem: "is not an object" }),
        }
    }
}

fn insert(members: &mut BTreeMap<String, Node>, path: &[&str], optional: bool) -> Option<()> {
    let (first, rest) = path.split_first()?;
    if first.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return members.insert((*first).to_owned(), Node::Scalar { optional }).is_none().then_some(());
    }
    match members.entry((*first).to_owned()).or_insert_with(|| Node::Members(BTreeMap::new())) {
        Node::Members(inner) => insert(inner, rest, optional),
        Node::Scalar { .. } => None,
    }
}

fn filter(value: Value, allowed: &BTreeMap<String, Node>, path: &str) -> Result<Value, AnswerError> {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(mut members) => {
            let mut kept = Map::new();
            for (name, node) in allowed.iter().filter(|(name, _)| *name != "*") {
                match members.remove(name) {
                    Some(value) => drop(kept.insert(name.clone(), pass(value, node, &join(name))?)),
                    None if node.is_optional() => (),
                    None => return Err(AnswerError { path: join(name), problem: "is missing" }),
                }
            }
            if let Some(node) = allowed.get("*") {
                for (name, value) in members {
                    kept.insert(name, pass(value, node, &join("*"))?);
                }
            }
            Ok(Value::Object(kept))
        }
        Value::Array(elements) => {
            let node = allowed.get("*").ok_or(AnswerError { path: path.to_owned(), problem: "is an array" })?;
            let kept: Result<Vec<_>, _> = elements.into_iter().map(|value| pass(value, node, &join("*"))).collect();
            kept.map(Value::Array)
        }
        _ => Err(AnswerError { path: path.to_owned(), problem: "is not an object" }),
    }
}

fn pass(value: Value, node: &Node, path: &str) -> Result<Value, AnswerError> {
    let problem = match (node, &value) {
        (Node::Members(allowed), _) => return filter(value, allowed, path),
        (Node::Scalar { .. }, Value::Object(_) | Value::Array(_)) => "is not a single value",
        (Node::Scalar { .. }, Value::String(text)) if text.len() > MAX_TEXT => "is too long",
        (Node::Scalar { .. }, _) => return Ok(value),
    };
    Err(AnswerError { path: path.to_owned(), problem })
}

impl Node {
    fn is_optional(&self) -> bool {
        match self {
            Self::Scalar { optional } => *optional,
            Self::Members(members) => members.values().all(Self::is_optional),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply(entries: &[&str], answer: Value) -> Result<Value, AnswerError> {
        let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
        AllowList::new(&entries).unwrap().apply(answer).map(Value::Object)
    }

    #[test]
    fn what_is_not_listed_does_not_pass() {
        let answer = json!({ "id": "po_1", "status": "accepted", "internal": { "note": "x" }, "secret": "s" });
        assert_eq!(apply(&["id", "status"], answer).unwrap(), json!({ "id": "po_1", "status": "accepted" }));
        assert_eq!(apply(&[], json!({ "id": 1 })).unwrap(), json!({}));
    }

    #[test]
    fn nested_fields_and_every_member_can_be_listed() {
        let answer = json!({ "fee": { "amount": "1", "note": "x" }, "rates": { "USD": "1.1", "JPY": "170" }, "list": [{ "id": 1, "x": 2 }] });
        let expected =
            json!({ "fee": { "amount": "1" }, "rates": { "USD": "1.1", "JPY": "170" }, "list": [{ "id": 1 }] });
        assert_eq!(apply(&["fee.amount", "rates.*", "list.*.id"], answer).unwrap(), expected);
    }

    #[test]
    fn an_answer_that_lacks_a_field_fails_unless_it_is_optional() {
        assert_eq!(apply(&["id"], json!({})).unwrap_err().problem, "is missing");
        assert_eq!(apply(&["fee.amount?"], json!({})).unwrap(), json!({}));
    }

    #[test]
    fn a_value_cannot_smuggle_a_structure_or_a_novel() {
        assert_eq!(apply(&["id"], json!({ "id": { "secret": 1 } })).unwrap_err().problem, "is not a single value");
        assert_eq!(
            apply(&["rates.*"], json!({ "rates": { "USD": [1] } })).unwrap_err().problem,
            "is not a single value"
        );
        assert_eq!(apply(&["id"], json!({ "id": "x".repeat(1025) })).unwrap_err().problem, "is too long");
        assert!(apply(&["id"], json!([1])).is_err() && apply(&["id"], json!("x")).is_err());
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        for entries in [&["a", "a"][..], &["a", "a.b"], &["a.b", "a"], &[""], &["a..b"]] {
            let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
            assert!(AllowList::new(&entries).is_err(), "{entries:?}");
        }
    }
}

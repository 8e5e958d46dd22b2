//! Which fields of a third party's answer pass to the caller, and as what. What is not listed does not pass.
//!
//! An entry is a dotted path to a *scalar* and its type: `id:token`, `fee.amount:decimal`; `*` stands for every member of an
//! object or every element of an array: `rates.*:decimal`, `items.*.id:uuid`. A trailing `?` makes the field optional
//! (`note:text?`): it may be missing or null, and then it is left out. Without it, such an answer is not the answer that was agreed
//! and fails as a whole, as does a value of another type. `id=transfer.reference:token` lets a field pass under our name for it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;

use super::document::Document;
use super::parameter::Kind;
use super::path::Path;

/// No scalar that passes is longer: a field cannot become a channel for whatever else the provider stores.
const MAX_TEXT: u16 = 1024;
/// Characters of a decimal number.
const MAX_DECIMAL: usize = 40;
/// Characters of a member's name that passes under `*`.
const MAX_NAME: u16 = 64;

#[derive(Clone, Debug, Default)]
pub struct AllowList {
    root: BTreeMap<String, Node>,
    /// Those that pass under our names.
    renamed: BTreeMap<String, Renamed>,
}

#[derive(Clone, Debug)]
struct Renamed {
    theirs: Path,
    kind: Type,
    optional: bool,
}

#[derive(Clone, Debug)]
enum Node {
    Scalar { kind: Type, optional: bool },
    Members(BTreeMap<String, Node>),
}

/// Types of fields. One that is named like a type of parameters is the same, but for decimals: here they have any sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
enum Type {
    /// A string that conforms to a type of parameters.
    #[strum(disabled)]
    Text(Kind),
    /// A number, or a string that holds one, in plain notation; it passes as a string with the digits as they came.
    Decimal,
    /// A whole number of at most 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A day, `2026-10-30`.
    Date,
}

/// An entry of the list that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("response field `{entry}` {problem}")]
pub struct FieldError {
    entry: String,
    problem: &'static str,
}

/// An answer that is not the agreed one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the answer's field `{path}` {problem}")]
pub struct AnswerError {
    /// The field, as in the manifest.
    pub path: String,
    pub problem: &'static str,
}

impl AllowList {
    /// Compiles the entries of a manifest.
    pub fn new(entries: &[String]) -> Result<Self, FieldError> {
        let mut list = Self::default();
        for entry in entries {
            list.add(entry).map_err(|problem| FieldError { entry: entry.clone(), problem })?;
        }
        Ok(list)
    }

    /// The allowed part of `answer`.
    pub fn apply(&self, answer: Document) -> Result<Map<String, Value>, AnswerError> {
        let mut renamed = Map::new();
        for (ours, Renamed { theirs, kind, optional }) in &self.renamed {
            let error = |problem| AnswerError { path: theirs.names().join("."), problem };
            match theirs.find(&answer) {
                None | Some(Document::Null) if *optional => (),
                None => return Err(error("is missing")),
                Some(value) => drop(renamed.insert(ours.clone(), kind.read(value.clone()).map_err(error)?)),
            }
        }
        let mut kept = match answer {
            Document::Object(members) => filter(members, &self.root, "")?,
            _ => return Err(AnswerError { path: String::new(), problem: "is not an object" }),
        };
        kept.append(&mut renamed);
        Ok(kept)
    }

    fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        let Some((ours, rest)) = entry.split_once('=') else {
            add(&mut self.root, entry)?;
            return self.names_differ();
        };
        let (theirs, kind) = rest.split_once(':').ok_or("has no type: write `ours=theirs:type`")?;
        // Default: without the mark it must be there.
        let (kind, optional) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let kind = Type::of(kind).ok_or("has a type that is not known")?;
        if Path::parse(ours)?.names().len() != 1 {
            return Err("has a name of ours that is a path");
        }
        let renamed = Renamed { theirs: Path::parse(theirs)?, kind, optional };
        if self.renamed.insert(ours.to_owned(), renamed).is_some() {
            return Err("is repeated");
        }
        self.names_differ()
    }

    /// A name of ours that is also one of theirs that passes would be two values.
    fn names_differ(&self) -> Result<(), &'static str> {
        let doubled = self.renamed.keys().any(|ours| self.root.contains_key(ours));
        if doubled { Err("is repeated") } else { Ok(()) }
    }
}

fn add(root: &mut BTreeMap<String, Node>, entry: &str) -> Result<(), &'static str> {
    let (path, kind) = entry.split_once(':').ok_or("has no type: write `name:type`")?;
    // Default: without the mark it must be there.
    let (kind, optional) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let kind = Type::of(kind).ok_or("has a type that is not known")?;
    let segments: Vec<&str> = path.split('.').collect();
    let plain = |segment: &&str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-$@".contains(&byte);
        *segment == "*" || (!segment.is_empty() && segment.bytes().all(good))
    };
    if !segments.iter().all(plain) {
        return Err("is not a path of plain names and `*`");
    }
    if segments.first() == Some(&"*") {
        return Err("would let everything pass");
    }
    insert(root, &segments, Node::Scalar { kind, optional }).ok_or("is repeated, or both a value and an object")
}

fn insert(members: &mut BTreeMap<String, Node>, path: &[&str], node: Node) -> Option<()> {
    let (first, rest) = path.split_first()?;
    if rest.is_empty() {
        return members.insert((*first).to_owned(), node).is_none().then_some(());
    }
    match members.entry((*first).to_owned()).or_insert_with(|| Node::Members(BTreeMap::new())) {
        Node::Members(inner) => insert(inner, rest, node),
        Node::Scalar { .. } => None,
    }
}

fn filter(
    mut members: BTreeMap<String, Document>,
    allowed: &BTreeMap<String, Node>,
    path: &str,
) -> Result<Map<String, Value>, AnswerError> {
    let mut kept = Map::new();
    for (name, node) in allowed.iter().filter(|(name, _)| *name != "*") {
        let path = join(path, name);
        match members.remove(name) {
            None | Some(Document::Null) if node.is_optional() => (),
            None => return Err(AnswerError { path, problem: "is missing" }),
            Some(value) => drop(kept.insert(name.clone(), pass(value, node, &path)?)),
        }
    }
    // Default: without a star, what is not named does not pass.
    if let Some(node) = allowed.get("*") {
        let path = join(path, "*");
        for (name, value) in members {
            if Kind::Token.check(&name, MAX_NAME).is_err() {
                return Err(AnswerError { path, problem: "has a name that is not a token" });
            }
            if value != Document::Null || !node.is_optional() {
                kept.insert(name, pass(value, node, &path)?);
            }
        }
    }
    Ok(kept)
}

fn pass(value: Document, node: &Node, path: &str) -> Result<Value, AnswerError> {
    let error = |problem| AnswerError { path: path.to_owned(), problem };
    match (node, value) {
        (Node::Members(allowed), Document::Object(members)) => filter(members, allowed, path).map(Value::Object),
        (Node::Members(allowed), Document::List(elements)) => {
            let node = allowed.get("*").ok_or_else(|| error("is an array"))?;
            let path = join(path, "*");
            elements.into_iter().map(|value| pass(value, node, &path)).collect::<Result<_, _>>().map(Value::Array)
        }
        (Node::Members(_), _) => Err(error("is not an object")),
        (Node::Scalar { kind, .. }, value) => kind.read(value).map_err(error),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Node {
    fn is_optional(&self) -> bool {
        match self {
            Self::Scalar { optional, .. } => *optional,
            Self::Members(members) => members.values().all(Self::is_optional),
        }
    }
}

impl Type {
    fn of(name: &str) -> Option<Self> {
        name.parse().or_else(|_| name.parse().map(Self::Text)).ok()
    }

    /// The value as it passes. Nothing is converted that could lose something.
    fn read(self, value: Document) -> Result<Value, &'static str> {
        match (self, value) {
            (_, Document::Object(_) | Document::List(_)) => Err("is not a single value"),
            (_, Document::Null) => Err("is null"),
            (Self::Text(kind), Document::Text(text)) => kind.check(&text, MAX_TEXT).map(|()| Value::String(text)),
            (Self::Decimal, Document::Number(digits) | Document::Text(digits)) if is_decimal(&digits) => {
                Ok(Value::String(digits))
            }
            (Self::Decimal, _) => Err("is not a decimal number"),
            (Self::Integer, Document::Number(digits)) => {
                digits.parse::<i64>().map(Value::from).map_err(|_| "is not a whole number of 64 bits")
            }
            (Self::Boolean, Document::Boolean(value)) => Ok(Value::Bool(value)),
            (Self::Date, Document::Text(text)) if is_date(&text) => Ok(Value::String(text)),
            (Self::Date, _) => Err("is not a day"),
            _ => Err("is not of its type"),
        }
    }
}

/// A number in JSON's notation without an exponent.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_DECIMAL && all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok_and(|day| day.to_string() == text)
}

#[cfg(test)]
mod tests;

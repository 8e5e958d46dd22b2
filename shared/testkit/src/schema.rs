//! A service's `openapi.json`, and whether a value is one of its schemas: as much of JSON Schema as stands in those files, for tests that hold what a schema
//! takes against what the service takes. A keyword that is not known here is an error, so nothing is passed over.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use regex::Regex;
use serde_json::{Map, Value};

/// What says nothing about a value.
const NOTES: [&str; 6] = ["description", "examples", "default", "title", "format", "contentEncoding"];

/// A document.
pub struct Document(Value);

impl Document {
    /// That of a service's public listener, as it is committed.
    pub fn of(service: &str) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services").join(service);
        let text = std::fs::read_to_string(folder.join("openapi.json"))?;
        Ok(Self(serde_json::from_str(&text)?))
    }

    /// The schema of an operation's body.
    pub fn body(&self, method: &str, path: &str) -> Result<&Value> {
        let operation = self.operation(method, path)?;
        let content = operation.pointer("/requestBody/content").and_then(Value::as_object).context("it has no body")?;
        content.values().next().and_then(|media| media.get("schema")).context("its body has no schema")
    }

    /// The schema of one of an operation's parameters.
    pub fn parameter(&self, method: &str, path: &str, name: &str) -> Result<&Value> {
        let parameters = self.operation(method, path)?.get("parameters").and_then(Value::as_array);
        let mut parameters = parameters.context("it has no parameters")?.iter();
        let found = parameters.find(|parameter| parameter.get("name").is_some_and(|named| named == name));
        found.and_then(|parameter| parameter.get("schema")).with_context(|| format!("it has no parameter {name}"))
    }

    fn operation(&self, method: &str, path: &str) -> Result<&Value> {
        let operation = self.0.get("paths").and_then(|paths| paths.get(path)).and_then(|path| path.get(method));
        operation.with_context(|| format!("there is no {method} {path}"))
    }

    /// Whether the value is one of the schema's.
    pub fn takes(&self, schema: &Value, value: &Value) -> Result<bool> {
        let keywords = schema.as_object().context("a schema is an object")?;
        for (keyword, rule) in keywords {
            if !NOTES.contains(&keyword.as_str()) && !self.holds(keywords, keyword, rule, value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, keywords: &Map<String, Value>, keyword: &str, rule: &Value, value: &Value) -> Result<bool> {
        let text = value.as_str();
        let limit = || rule.as_u64().context("a limit is a number");
        let length = |text: &str| text.chars().count() as u64;
        Ok(match keyword {
            "$ref" => {
                let name = rule.as_str().and_then(|path| path.rsplit('/').next()).context("a reference is a text")?;
                let schema =
                    self.0.pointer(&format!("/components/schemas/{name}")).context("a reference to nothing")?;
                self.takes(schema, value)?
            }
            "type" => match rule {
                Value::Array(kinds) => kinds.iter().any(|kind| is(kind, value)),
                kind => is(kind, value),
            },
            "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
            "const" => rule == value,
            "pattern" => {
                let pattern = Regex::new(rule.as_str().context("a pattern is a text")?)?;
                text.is_none_or(|text| pattern.is_match(text))
            }
            "minLength" => limit().map(|limit| text.is_none_or(|text| length(text) >= limit))?,
            "maxLength" => limit().map(|limit| text.is_none_or(|text| length(text) <= limit))?,
            "minimum" => value.as_f64().zip(rule.as_f64()).is_none_or(|(value, limit)| value >= limit),
            "maximum" => value.as_f64().zip(rule.as_f64()).is_none_or(|(value, limit)| value <= limit),
            "required" => {
                let there = |name: &Value| name.as_str().is_some_and(|name| value.get(name).is_some());
                !value.is_object() || rule.as_array().is_some_and(|names| names.iter().all(there))
            }
            "properties" => self.members(rule, value)?,
            "additionalProperties" if *rule == Value::Bool(false) => {
                let known = |name: &String| keywords.get("properties").is_some_and(|known| known.get(name).is_some());
                value.as_object().is_none_or(|members| members.keys().all(known))
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().map(|item| self.takes(rule, item));
                items.collect::<Result<Vec<_>>>()?.into_iter().all(|taken| taken)
            }
            "oneOf" => self.taken(rule, value)? == 1,
            "anyOf" => self.taken(rule, value)? > 0,
            "allOf" => Some(self.taken(rule, value)?) == rule.as_array().map(Vec::len),
            other => bail!("{other} is not known here"),
        })
    }

    fn members(&self, properties: &Value, value: &Value) -> Result<bool> {
        for (name, schema) in properties.as_object().into_iter().flatten() {
            if let Some(member) = value.get(name)
                && !self.takes(schema, member)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many of them take it.
    fn taken(&self, choices: &Value, value: &Value) -> Result<usize> {
        let mut taken = 0;
        for choice in choices.as_array().into_iter().flatten() {
            taken += usize::from(self.takes(choice, value)?);
        }
        Ok(taken)
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    }
}

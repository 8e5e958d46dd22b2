//! `openapi`: the routes of one listener as an `OpenAPI` 3.1 document. Nothing in it is written here but the frame: what a route takes and answers,
//! its types say ([`crate::contract`]), and examples are put together from those of the types' leaves.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use api::problem::{Kind, MEDIA_TYPE};
use http::StatusCode;
use serde_json::{Map, Value, json};
use strum::VariantArray as _;

use crate::contract::{Answer, Operation, Schemas, Scheme, example, links, renamed};
use crate::service::RouteDoc;

/// The document, pretty-printed, the same for the same routes.
pub(crate) fn document(service: &str, listener: &str, routes: &[RouteDoc]) -> Result<String> {
    let mut schemas = Schemas::new();
    schemas.gives::<api::Problem>();
    let mut operations = Vec::new();
    for route in routes.iter().filter(|route| route.listener == listener) {
        let mut operation = Operation::new(schemas);
        (route.describe)(&mut operation);
        schemas = std::mem::replace(&mut operation.schemas, Schemas::new());
        operations.push((route, operation));
    }
    let (components, other) = schemas.finish();
    let all: Vec<_> =
        operations.iter().map(|(route, _)| (route.path.as_str(), operation_id(&route.method, &route.path))).collect();
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for (route, operation) in &operations {
        let drawn = Drawn { route, operation, components: &components, other: &other, all: &all };
        paths.entry(&route.path).or_default().insert(route.method.to_ascii_lowercase(), drawn.operation()?);
    }
    let shown = |scheme: &&Scheme| operations.iter().any(|(_, operation)| operation.security.contains_key(scheme));
    let security_schemes =
        Scheme::VARIANTS.iter().filter(shown).map(|scheme| (scheme.name().to_owned(), scheme.definition()));
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Redoubt {service}, {listener} listener"),
            "version": "1",
            "description": "Made by the program from the types that it reads and writes.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" }
        },
        "servers": [{ "url": "/", "description": "Wherever the listener is reached." }],
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes.collect::<Map<_, _>>(),
            "headers": { "Request-Id": {
                "description": "The server's name for the request, to quote to support.",
                "schema": { "type": "string", "format": "uuid" }
            }},
            "schemas": components
        }
    });
    ascii(&serde_json::to_string_pretty(&document)?)
}

/// What stands for a sign that nobody sees is seen in the file: beyond ASCII by JSON's escapes.
fn ascii(text: &str) -> Result<String> {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}")?;
            }
        }
    }
    Ok(escaped)
}

/// One operation as it stands in the document.
struct Drawn<'a> {
    route: &'a RouteDoc,
    operation: &'a Operation,
    components: &'a Map<String, Value>,
    /// Names that what is read has to be called otherwise by.
    other: &'a BTreeSet<String>,
    /// Every operation of the document: its path and its id.
    all: &'a [(&'a str, String)],
}

impl Drawn<'_> {
    fn operation(&self) -> Result<Value> {
        let Self { route, operation, .. } = self;
        let mut drawn = json!({
            "operationId": operation_id(&route.method, &route.path),
            "summary": route.summary,
            "tags": [tag(&route.path)],
            "x-listener": route.listener,
            "x-guard": route.guard,
            "x-policy": route.policy,
            "x-layers": route.layers,
            "security": self.security(),
            "parameters": self.parameters()?,
            "responses": self.responses()?
        });
        if let (Some((media_type, schema)), Some(drawn)) = (&operation.body, drawn.as_object_mut()) {
            let mut schema = schema.clone();
            renamed(&mut schema, self.other);
            let body = json!({ "required": true, "content": { (*media_type): self.media(&schema) } });
            drawn.insert("requestBody".to_owned(), body);
        }
        Ok(drawn)
    }

    fn media(&self, schema: &Value) -> Value {
        match example(schema, self.components) {
            Some(example) => json!({ "schema": schema, "example": example }),
            None => json!({ "schema": schema }),
        }
    }

    /// All that may be shown, or what must be alone.
    fn security(&self) -> Value {
        let Operation { security, optional, .. } = self.operation;
        let of = |without: &BTreeSet<Scheme>| {
            let shown = security.iter().filter(|(scheme, _)| !without.contains(scheme));
            shown.map(|(scheme, scopes)| (scheme.name().to_owned(), json!(scopes))).collect::<Map<_, _>>()
        };
        match (security.is_empty(), optional.is_empty()) {
            (true, _) => json!([]),
            (false, true) => json!([of(optional)]),
            (false, false) => json!([of(&BTreeSet::new()), of(optional)]),
        }
    }

    fn parameters(&self) -> Result<Value> {
        let names: Vec<&str> = self.route.path.split('/').filter_map(braced).collect();
        if names.len() != self.operation.path.len() {
            bail!(
                "{} {}: the handler takes {} of the path",
                self.route.method,
                self.route.path,
                self.operation.path.len()
            );
        }
        let of_path = names.iter().zip(&self.operation.path);
        let of_path =
            of_path.map(|(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        let mut all: Vec<Value> = of_path.chain(self.operation.parameters.iter().cloned()).collect();
        for parameter in &mut all {
            renamed(parameter, self.other);
        }
        Ok(Value::Array(all))
    }

    fn responses(&self) -> Result<Value> {
        let mut responses = Map::new();
        for (status, answer) in &self.operation.answers {
            // Default: a status without a name says nothing more.
            let reason = StatusCode::from_u16(*status)?.canonical_reason().unwrap_or_default();
            let meanings = answer.codes.iter().map(|code| meaning(code)).collect::<Result<Vec<_>>>()?;
            let description = [vec![reason.to_owned()], meanings].concat().join("\n- ");
            let mut headers = json!({ "Request-Id": { "$ref": "#/components/headers/Request-Id" } });
            if let Some(headers) = headers.as_object_mut() {
                let text = |meaning: &str| json!({ "description": meaning, "schema": { "type": "string" } });
                headers.extend(answer.headers.iter().map(|(name, meaning)| ((*name).to_owned(), text(meaning))));
                if [429, 503].contains(status) {
                    headers.insert("Retry-After".to_owned(), text("Seconds until it is worth another try."));
                }
            }
            let mut response = json!({ "description": description, "headers": headers });
            let content = self.operation.content(answer);
            let resource = content.get("application/json").filter(|_| *status < 300);
            let links = resource.map(|schema| links(&self.route.path, schema, self.components, self.all));
            let content = content.into_iter();
            let content: Map<_, _> = content
                .map(|(name, schema)| (name.to_owned(), self.answered(*status, answer, name, &schema)))
                .collect();
            if let Some(response) = response.as_object_mut() {
                let further = [("content", Some(content)), ("links", links)];
                let further =
                    further.into_iter().filter_map(|(name, of)| Some((name, of.filter(|of| !of.is_empty())?)));
                response.extend(further.map(|(name, of)| (name.to_owned(), Value::Object(of))));
            }
            responses.insert(status.to_string(), response);
        }
        Ok(Value::Object(responses))
    }

    /// The example of a problem is made as the problems are that are answered.
    fn answered(&self, status: u16, answer: &Answer, media_type: &str, schema: &Value) -> Value {
        match answer.codes.first() {
            Some(code) if media_type == MEDIA_TYPE => {
                json!({ "schema": schema, "example": api::Problem::example(status, code) })
            }
            _ => self.media(schema),
        }
    }
}

/// What a code means, in a line.
fn meaning(code: &str) -> Result<String> {
    let kind = Kind::of(code).with_context(|| format!("{code} is not one of `api::problem::code`"))?;
    Ok(format!("`{code}`: {}", kind.meaning))
}

/// The name in `{name}` or `{name:pattern}`.
fn braced(segment: &str) -> Option<&str> {
    let inner = segment.strip_prefix('{')?.strip_suffix('}')?;
    // Default: a name without a pattern.
    Some(inner.split_once(':').map_or(inner, |(name, _)| name))
}

/// What is the same for all of a resource's paths and says nothing about it.
const COMMON: [&str; 2] = ["internal", "v1"];

/// What a path is about.
fn tag(path: &str) -> String {
    let first = path.split('/').find(|part| !part.is_empty() && !COMMON.contains(part));
    match first {
        None => "root",
        // What programs read to know the service: `/.well-known/…`, `/jwks.json`.
        Some(name) if name.starts_with('.') || name.rsplit_once('.').is_some_and(|(_, kind)| kind == "json") => {
            "metadata"
        }
        // Files that pages load.
        Some(name) if name.contains('.') => "assets",
        Some(name) => name,
    }
    .to_owned()
}

/// `getAccountsByIdEntries`: from method and path alone, so that it stays as long as they do.
fn operation_id(method: &str, path: &str) -> String {
    let mut id = method.to_ascii_lowercase();
    for part in path.split('/').filter(|part| !part.is_empty() && !COMMON.contains(part)) {
        let (prefix, name) = match braced(part) {
            Some(name) => ("By", name),
            None => ("", part),
        };
        id.push_str(prefix);
        for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let mut letters = word.chars();
            id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            id.push_str(letters.as_str());
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_called_by_its_method_and_its_path() {
        assert_eq!(operation_id("GET", "/v1/accounts/{id}/entries"), "getAccountsByIdEntries");
        assert_eq!(operation_id("POST", "/internal/v1/payout-events"), "postPayoutEvents");
        assert_eq!(
            ["/.well-known/x", "/jwks.json", "/style.css", "/internal/v1/suspense/{id}", "/"].map(tag),
            ["metadata", "metadata", "assets", "suspense", "root"]
        );
    }

    #[test]
    fn what_is_not_ascii_is_escaped_as_json_has_it() {
        let text = ascii(&serde_json::to_string("a\u{202e}\u{1f3e6}").unwrap()).unwrap();
        assert_eq!(text, r#""a\u202e\ud83c\udfe6""#);
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), "a\u{202e}\u{1f3e6}");
    }
}

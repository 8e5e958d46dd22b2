//! `openapi`: the routes of one listener as an `OpenAPI` 3.1 document, from the same table that registers them.
//!
//! Bodies are not described: their schema is the Rust type in `api`, and a second one by hand would drift from it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::service::RouteDoc;

/// The document, pretty-printed, the same for the same routes.
pub(crate) fn document(service: &str, listener: &str, routes: &[RouteDoc]) -> Result<String> {
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for route in routes.iter().filter(|route| route.listener == listener) {
        paths.entry(&route.path).or_default().insert(route.method.to_ascii_lowercase(), operation(route));
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": format!("Redoubt {service}, {listener} listener"), "version": "1" },
        "paths": paths,
        "components": {
            "schemas": { "Problem": {
                "type": "object",
                "required": ["type", "code", "title", "status"],
                "properties": {
                    "type": { "type": "string", "format": "uri" },
                    "code": { "type": "string" },
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "detail": { "type": "string" },
                    "field": { "type": "string" },
                    "request_id": { "type": "string", "format": "uuid" }
                }
            }}
        }
    });
    Ok(serde_json::to_string_pretty(&document)?)
}

fn operation(route: &RouteDoc) -> Value {
    let parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        // Default: a name without a pattern.
        .map(|name| name.split_once(':').map_or(name, |(name, _)| name))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    json!({
        "summary": route.summary,
        "x-listener": route.listener,
        "x-guard": route.guard,
        "x-policy": route.policy,
        "x-layers": route.layers,
        "parameters": parameters,
        "responses": {
            "2XX": { "description": "done" },
            "default": {
                "description": "refused (RFC 9457)",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
            }
        }
    })
}

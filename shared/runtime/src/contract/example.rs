//! One value of a schema, put together from the examples that its leaves give. So examples come from where the form of each leaf stands, too.

use serde_json::{Map, Value, json};

use super::schemas::referred;

/// Schemas nest less deeply than that; one that leads back to itself has no example.
const DEPTH: usize = 16;

/// An example; none if a part that must be there has none.
pub(crate) fn example(schema: &Value, components: &Map<String, Value>) -> Option<Value> {
    of(schema, components, DEPTH)
}

fn of(schema: &Value, components: &Map<String, Value>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let first = |name: &str| schema.get(name).and_then(Value::as_array).and_then(|all| all.first());
    if let Some(given) = first("examples").or_else(|| schema.get("const")).or_else(|| first("enum")) {
        return Some(given.clone());
    }
    if let Some(name) = referred(schema) {
        return of(components.get(name)?, components, depth);
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        return together(all, components, depth);
    }
    if let Some(choice) = first("oneOf").or_else(|| first("anyOf")) {
        return of(choice, components, depth);
    }
    let kind = schema.get("type")?;
    // Default: of a list of types the first, of which the others are the absence.
    let kind = kind.as_array().and_then(|kinds| kinds.first()).unwrap_or(kind).as_str()?;
    match kind {
        "object" => object(schema, components, depth),
        "array" => {
            let item = of(schema.get("items")?, components, depth)?;
            let least = schema.get("minItems").and_then(Value::as_u64).and_then(|least| usize::try_from(least).ok());
            // Default: a list of which no length is asked is seen to be one by its first item.
            Some(Value::Array(vec![item; least.unwrap_or(1)]))
        }
        // Default: nothing is asked of it.
        "integer" | "number" => Some(schema.get("minimum").cloned().unwrap_or_else(|| json!(1))),
        "boolean" => Some(json!(true)),
        "string" if schema.get("pattern").is_none() && schema.get("format").is_none() => Some(json!("text")),
        _ => None,
    }
}

/// What has no example and need not be there is left out.
fn object(schema: &Value, components: &Map<String, Value>, depth: usize) -> Option<Value> {
    let empty = Map::new();
    // Default: an object of which nothing is said.
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let mut members = Map::new();
    for (name, property) in properties {
        match of(property, components, depth) {
            Some(value) => drop(members.insert(name.clone(), value)),
            None if required(name) => return None,
            None => (),
        }
    }
    Some(Value::Object(members))
}

/// Of objects that are one: the members of all, the last word counts.
fn together(all: &[Value], components: &Map<String, Value>, depth: usize) -> Option<Value> {
    let mut members = Map::new();
    for part in all {
        members.extend(of(part, components, depth)?.as_object()?.clone());
    }
    Some(Value::Object(members))
}

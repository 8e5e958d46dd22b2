//! Which operation leads to which: whoever answers with a resource's `id` names those that take it in their path.

use serde_json::{Map, Value, json};

use super::schemas::referred;

/// The `OpenAPI` links of an answer with this schema of an operation at `path`, each called by the operation that it leads to. `operations` are all there
/// are, each a path with an id. A resource is answered where it is made, `/v1/things`, or where it is, `/v1/things/{id}`; what takes its id continues
/// the latter.
pub(crate) fn links(
    path: &str,
    schema: &Value,
    components: &Map<String, Value>,
    operations: &[(&str, String)],
) -> Map<String, Value> {
    // Default: what is no reference stands for itself.
    let schema = referred(schema).and_then(|name| components.get(name)).unwrap_or(schema);
    if schema.pointer("/properties/id").is_none() {
        return Map::new();
    }
    let collection = path.rsplit_once("/{").filter(|(_, last)| last.ends_with('}') && !last.contains('/'));
    // Default: it was made here.
    let collection = collection.map_or(path, |(collection, _)| collection);
    let taken = operations.iter().filter(|(other, _)| *other != path).filter_map(|(other, id)| {
        let (parameter, rest) = other.strip_prefix(collection)?.strip_prefix("/{")?.split_once('}')?;
        let only = !collection.contains('{') && !rest.contains('{');
        only.then(|| (id.clone(), json!({ "operationId": id, "parameters": { parameter: "$response.body#/id" } })))
    });
    taken.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(path: &str, schema: &Value) -> Vec<String> {
        let components = json!({ "Thing": { "properties": { "id": {} } }, "Page": { "properties": { "next": {} } } });
        let operations = [
            ("/v1/things", "getThings"),
            ("/v1/things", "postThings"),
            ("/v1/things/{thing}", "getThing"),
            ("/v1/things/{thing}/parts", "getParts"),
            ("/v1/things/{thing}/parts/{part}", "getPart"),
            ("/v1/thingsome/{id}", "getThingsome"),
        ]
        .map(|(path, id)| (path, id.to_owned()));
        let links = links(path, schema, components.as_object().unwrap(), &operations);
        assert!(links.values().all(|link| link["parameters"] == json!({ "thing": "$response.body#/id" })));
        links.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_answers_a_resource_leads_to_what_takes_its_id() {
        let thing = json!({ "$ref": "#/components/schemas/Thing" });
        assert_eq!(led("/v1/things", &thing), ["getParts", "getThing"]);
        assert_eq!(led("/v1/things", &json!({ "properties": { "id": {} } })), ["getParts", "getThing"]);
        assert_eq!(led("/v1/things/{thing}", &thing), ["getParts"]);
    }

    #[test]
    fn what_answers_none_leads_nowhere() {
        assert_eq!(led("/v1/things", &json!({ "$ref": "#/components/schemas/Page" })), [""; 0]);
        let thing = json!({ "$ref": "#/components/schemas/Thing" });
        assert_eq!(led("/v1/others", &thing), [""; 0]);
        // A part's id names no thing.
        assert_eq!(led("/v1/things/{thing}/parts", &thing), [""; 0]);
    }
}

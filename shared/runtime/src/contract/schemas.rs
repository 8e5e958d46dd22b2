//! The schemas of one document. What is read and what is written of one type can differ (a field that may be left out, an amount that may be
//! negative), so each is asked for by its side; where they differ, what is read is called `…Input`.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

const PLACE: &str = "#/components/schemas/";

/// The schemas of a document, in the making.
pub(crate) struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            taken: settings.clone().for_deserialize().into_generator(),
            given: settings.for_serialize().into_generator(),
        }
    }

    /// Of what is read.
    pub(crate) fn takes<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.taken.subschema_for::<T>().to_value();
        tidy(&mut schema);
        schema
    }

    /// Of what is written.
    pub(crate) fn gives<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.given.subschema_for::<T>().to_value();
        tidy(&mut schema);
        schema
    }

    /// A parameter for each field of what is read from a query.
    pub(crate) fn parameters<T: JsonSchema>(&mut self) -> Vec<Value> {
        let mut object = T::json_schema(&mut self.taken).to_value();
        tidy(&mut object);
        let required = |name: &str| {
            let names = object.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let of = |(name, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            // A query has no null: what is absent is left out.
            never_null(&mut schema);
            let meaning = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut parameter = json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
            if let (Some(meaning), Some(parameter)) = (meaning, parameter.as_object_mut()) {
                parameter.insert("description".to_owned(), meaning);
            }
            parameter
        };
        let properties = object.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(of).collect()
    }

    /// All named schemas, and the names that what is read has to be called otherwise by.
    pub(crate) fn finish(mut self) -> (Map<String, Value>, BTreeSet<String>) {
        let (mut taken, mut given) = (self.taken.take_definitions(false), self.given.take_definitions(false));
        taken.values_mut().chain(given.values_mut()).for_each(tidy);
        given.values_mut().for_each(without_null);
        let mut other: BTreeSet<String> = BTreeSet::new();
        loop {
            let differs = |(name, schema): &(&String, &Value)| {
                given.get(*name).is_some_and(|same| same != *schema || other.iter().any(|name| refers(schema, name)))
            };
            let names: BTreeSet<String> = taken.iter().filter(differs).map(|(name, _)| name.clone()).collect();
            if names == other {
                break;
            }
            other = names;
        }
        for (name, mut schema) in taken {
            renamed(&mut schema, &other);
            let name = if other.contains(&name) { input(&name) } else { name };
            given.insert(name, schema);
        }
        (given, other)
    }
}

fn input(name: &str) -> String {
    format!("{name}Input")
}

/// Calls what is read by its other name where it has one.
pub(crate) fn renamed(schema: &mut Value, other: &BTreeSet<String>) {
    each(schema, &mut |members| {
        let Some(Value::String(path)) = members.get_mut("$ref") else { return };
        if let Some(name) = path.strip_prefix(PLACE).filter(|name| other.contains(*name)) {
            *path = format!("{PLACE}{}", input(name));
        }
    });
}

fn refers(schema: &Value, name: &str) -> bool {
    let (path, mut found) = (format!("{PLACE}{name}"), false);
    each(&mut schema.clone(), &mut |members| found |= members.get("$ref").is_some_and(|to| *to == path));
    found
}

/// Every object in it.
fn each(value: &mut Value, with: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            with(members);
            members.values_mut().for_each(|value| each(value, with));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| each(value, with)),
        _ => (),
    }
}

/// The name of the schema that this one refers to.
pub(crate) fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// Documentation comments are written for rustdoc: links lose their brackets, lines their ends. A choice of one is none.
fn tidy(schema: &mut Value) {
    each(schema, &mut |members| {
        if let Some(Value::Array(choices)) = members.get("oneOf")
            && let [Value::Object(only)] = choices.as_slice()
        {
            let only = only.clone();
            members.remove("oneOf");
            for (name, value) in only {
                members.entry(name).or_insert(value);
            }
        }
        let Some(Value::String(text)) = members.get_mut("description") else { return };
        let plain = text.replace("[`", "`").replace("`]", "`");
        let paragraphs: Vec<String> = plain.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    });
}

/// A member that an answer may leave out is left out and never null.
fn without_null(schema: &mut Value) {
    each(schema, &mut |members| {
        let required = members.get("required").and_then(Value::as_array).cloned();
        // Default: nothing must be there.
        let required = required.unwrap_or_default();
        let Some(Value::Object(properties)) = members.get_mut("properties") else { return };
        for (_, property) in properties.iter_mut().filter(|(name, _)| !required.iter().any(|needed| needed == *name)) {
            never_null(property);
        }
    });
}

fn never_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    // Default: a schema without types, or choices, says nothing of null.
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    // Default: as above.
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            members.remove("anyOf");
            members.extend(only);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    /// A note, with a [`Tag`].
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Note {
        #[serde(default)]
        tag: Tag,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Tag {
        #[serde(default)]
        text: String,
    }

    #[test]
    fn what_is_read_has_a_name_of_its_own_where_it_differs_from_what_is_written() {
        let mut schemas = Schemas::new();
        let (mut taken, given) = (schemas.takes::<Note>(), schemas.gives::<Note>());
        let (components, other) = schemas.finish();
        renamed(&mut taken, &other);
        assert_eq!(taken["$ref"], "#/components/schemas/NoteInput");
        assert_eq!(given["$ref"], "#/components/schemas/Note");
        let (read, written) = (&components["NoteInput"], &components["Note"]);
        assert_eq!(read["properties"]["tag"]["$ref"], "#/components/schemas/TagInput");
        assert_eq!((read.get("required"), &written["required"]), (None, &json!(["tag"])));
        // What may be left out may be null where it is read, and is left out where it is written.
        assert_eq!(read["properties"]["next"]["type"], json!(["string", "null"]));
        assert_eq!(written["properties"]["next"]["type"], json!("string"));
        assert_eq!(
            (&read["additionalProperties"], &read["description"]),
            (&json!(false), &json!("A note, with a `Tag`."))
        );
    }
}

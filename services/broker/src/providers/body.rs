//! Where the parameters of a call stand in the provider's JSON. A caller speaks our words; what the provider calls them is the manifest's matter.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::parameter::{Checked, Parameter, ParameterPlace};
use super::path::Path;
use super::strict;

/// The places of an operation's parameters, by their names.
#[derive(Debug)]
pub(super) struct Places {
    body: BTreeMap<String, Path>,
    query: BTreeMap<String, String>,
}

impl Places {
    /// Refuses two parameters of one place, and one whose place lies within that of another.
    pub(super) fn compile(params: &BTreeMap<String, Parameter>) -> Result<Self, String> {
        let mut places = Self { body: BTreeMap::new(), query: BTreeMap::new() };
        for (name, parameter) in params {
            // Default: the provider calls it what we call it.
            let field = parameter.field.as_ref().unwrap_or(name);
            let error = |problem: &str| format!("params.{name}.field: `{field}` {problem}");
            match parameter.place {
                ParameterPlace::Path if parameter.field.is_some() => return Err(error("has no meaning in a path")),
                ParameterPlace::Path => (),
                ParameterPlace::Query if !strict::is_parameter(field) => return Err(error("is not a plain name")),
                ParameterPlace::Query if places.query.values().any(|other| other == field) => {
                    return Err(error("is the place of another parameter, too"));
                }
                ParameterPlace::Query => drop(places.query.insert(name.clone(), field.clone())),
                ParameterPlace::Body => {
                    let path = Path::parse(field).map_err(error)?;
                    if places.body.values().any(|other| other.collides(&path)) {
                        return Err(error("is the place of another parameter, too"));
                    }
                    places.body.insert(name.clone(), path);
                }
            }
        }
        Ok(places)
    }

    /// Names and values in the query.
    pub(super) fn query<'a>(&'a self, params: &'a Checked) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.query.iter().filter_map(|(name, field)| Some((field.as_str(), params.get(name)?)))
    }

    pub(super) fn body(&self, params: &Checked) -> Result<Map<String, Value>, &'static str> {
        let mut body = Map::new();
        for (name, path) in &self.body {
            // An optional parameter that was left out.
            let Some(value) = params.get(name) else { continue };
            put(&mut body, path.names(), value)?;
        }
        Ok(body)
    }
}

fn put(members: &mut Map<String, Value>, path: &[String], value: &str) -> Result<(), &'static str> {
    let (first, rest) = path.split_first().ok_or("a parameter without a place")?;
    if rest.is_empty() {
        let before = members.insert(first.clone(), value.into());
        return before.map_or(Ok(()), |_| Err("two parameters in one place"));
    }
    let inner = members.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()));
    put(inner.as_object_mut().ok_or("a parameter within another")?, rest, value)
}

//! A schema as people read it: members with their form and meaning, and what is in them folded away until it is asked for.

use askama::Template;
use serde_json::{Map, Value};

use super::words::Words;
use crate::contract::referred;

/// Values that are told where there is room for a few words only.
const SAID: usize = 4;

/// Named values: the fields of an object, or the parameters of an operation.
#[derive(Template, Default)]
#[template(path = "members.html")]
pub(super) struct Members {
    pub(super) members: Vec<Member>,
}

/// A named value.
pub(super) struct Member {
    pub(super) name: String,
    /// Where it stands; of a parameter only.
    pub(super) place: Option<String>,
    pub(super) required: bool,
    pub(super) meaning: Option<Words>,
    pub(super) form: Form,
}

/// What a value looks like.
#[derive(Default)]
pub(super) struct Form {
    /// In a few words: `text, date-time`, `list of Account`.
    pub(super) kind: String,
    /// What else must hold, each with its name.
    pub(super) limits: Vec<(&'static str, String)>,
    /// The values that there are, if they can be counted.
    pub(super) choices: Vec<Choice>,
    pub(super) example: Option<String>,
    /// What it is one of, of that which has neither members nor values that can be counted.
    pub(super) others: Vec<Form>,
    /// What is in it.
    pub(super) inside: Vec<Inside>,
}

impl Form {
    /// Whether any of its values has a meaning of its own to be shown.
    pub(super) fn has_meanings(&self) -> bool {
        self.choices.iter().any(|choice| choice.meaning.is_some())
    }
}

/// One of the values that there are.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) meaning: Option<Words>,
}

/// The members of something in a value.
pub(super) struct Inside {
    pub(super) label: String,
    pub(super) members: Members,
}

/// Reads schemas that refer to these.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) components: &'a Map<String, Value>,
}

impl Reader<'_> {
    /// The members of an object's schema; of one that is a choice there are none.
    pub(super) fn form(self, schema: &Value) -> Form {
        self.of(schema, &[])
    }

    /// A parameter object of `OpenAPI`.
    pub(super) fn parameter(self, parameter: &Value) -> Member {
        // Default: a parameter without a schema may be anything.
        let schema = parameter.get("schema").unwrap_or(&Value::Null);
        Member {
            place: text(parameter, "in").map(str::to_owned),
            // Default: as the standard has it.
            required: parameter.get("required").and_then(Value::as_bool).unwrap_or(false),
            // Default: what its type means, if it has nothing of its own.
            meaning: text(parameter, "description").or_else(|| self.meaning(schema)).map(Words::of),
            // Default: a parameter has a name, or the document would not pass its readers.
            name: text(parameter, "name").unwrap_or_default().to_owned(),
            form: self.form(schema),
        }
    }

    fn resolved<'s>(self, schema: &'s Value) -> (Option<&'s str>, &'s Value)
    where
        Self: 's,
    {
        let name = referred(schema);
        // Default: what is no reference stands for itself.
        (name, name.and_then(|name| self.components.get(name)).unwrap_or(schema))
    }

    fn meaning<'s>(self, schema: &'s Value) -> Option<&'s str>
    where
        Self: 's,
    {
        text(schema, "description").or_else(|| text(self.resolved(schema).1, "description"))
    }

    /// `within` are the names of what it is in: what leads back to itself is named, and not shown again.
    fn of(self, schema: &Value, within: &[&str]) -> Form {
        let (name, schema) = self.resolved(schema);
        if let Some(name) = name.filter(|name| within.contains(name)) {
            return Form { kind: name.to_owned(), ..Form::default() };
        }
        let within = &[within, name.as_slice()].concat();
        if let Some(choices) = list(schema, "oneOf").or_else(|| list(schema, "anyOf")) {
            return self.choice(name, choices, within);
        }
        if schema.get("properties").is_some() {
            // Default: what it is, where it has no name.
            let kind = name.unwrap_or("object").to_owned();
            // Default: what has no name is not named.
            let label = name.map_or_else(|| "Members".to_owned(), |name| format!("Members of {name}"));
            let inside = vec![Inside { label, members: self.members(schema, within) }];
            return Form { kind, inside, ..Form::default() };
        }
        if let Some(items) = schema.get("items") {
            let mut form = self.of(items, within);
            form.kind = format!("list of {}", form.kind);
            form.example = None;
            form.limits.splice(0..0, limits(schema, &[("at least", "minItems"), ("at most", "maxItems")]));
            return form;
        }
        Self::leaf(name, schema)
    }

    /// One of several forms: with members, a value that has a meaning of its own, or whatever else.
    fn choice(self, name: Option<&str>, choices: &[Value], within: &[&str]) -> Form {
        let (nothing, choices): (Vec<&Value>, Vec<&Value>) =
            choices.iter().partition(|choice| text(choice, "type") == Some("null"));
        let mut form = match choices.as_slice() {
            [only] => self.of(only, within),
            several => self.one_of(name, several, within),
        };
        if !nothing.is_empty() {
            form.kind.push_str(" or null");
        }
        form
    }

    fn one_of(self, name: Option<&str>, choices: &[&Value], within: &[&str]) -> Form {
        // Default: what it is, where it has no name.
        let mut form = Form { kind: name.unwrap_or("one of several").to_owned(), ..Form::default() };
        let all = choices.len();
        for (at, choice) in choices.iter().enumerate() {
            let mut inner = self.of(choice, within);
            if inner.choices.is_empty() && inner.inside.is_empty() {
                form.others.push(inner);
                continue;
            }
            if let [only] = inner.choices.as_mut_slice() {
                only.meaning = self.meaning(choice).map(Words::of);
            }
            form.choices.append(&mut inner.choices);
            for inside in inner.inside {
                let label = format!("{}, form {} of {all}: {}", form.kind, at + 1, self.distinct(at, choices));
                form.inside.push(Inside { label, members: inside.members });
            }
        }
        form
    }

    /// What tells a form from the others that it may have instead: its name, the values that a member of it has, the members that it must have; else what it
    /// is.
    fn distinct(self, at: usize, choices: &[&Value]) -> String {
        let forms: Vec<_> = choices.iter().map(|choice| self.resolved(choice)).collect();
        let others = || forms.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, form)| form);
        let Some((name, schema)) = forms.get(at) else { return String::new() };
        if let Some(name) = name.filter(|name| others().all(|(other, _)| *other != Some(*name))) {
            return name.to_owned();
        }
        let of = |schema: &Value, member: &str| schema.get("properties")?.get(member).map(|member| self.values(member));
        let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (member, known) in members.map(|(member, schema)| (member, self.values(schema))) {
            if !known.is_empty() && others().all(|(_, other)| of(other, member).as_ref() != Some(&known)) {
                return format!("{member} {}", in_short(&known));
            }
        }
        let must = |schema: &Value| list(schema, "required").map(<[Value]>::to_vec);
        match must(schema).filter(|all| others().all(|(_, other)| must(other).as_ref() != Some(all))) {
            Some(all) => format!("with {}", in_short(&all.iter().map(plain).collect::<Vec<_>>())),
            // Default: it says neither what it is nor what must be in it.
            None => name.or_else(|| text(schema, "type")).unwrap_or("anything").to_owned(),
        }
    }

    /// The values that there are, if they can be counted.
    fn values(self, schema: &Value) -> Vec<String> {
        let schema = self.resolved(schema).1;
        let only = schema.get("const").map(std::slice::from_ref);
        // Default: they cannot.
        list(schema, "enum").or(only).unwrap_or_default().iter().map(plain).collect()
    }

    fn leaf(name: Option<&str>, schema: &Value) -> Form {
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            Some(kind) => kind.as_str().into_iter().collect(),
            None => Vec::new(),
        };
        let kinds: Vec<&str> = kinds.iter().map(|kind| if *kind == "string" { "text" } else { kind }).collect();
        let kind = if kinds.is_empty() { "anything".to_owned() } else { kinds.join(" or ") };
        let words = [name.map(str::to_owned), Some(kind), text(schema, "format").map(str::to_owned)];
        let known = list(schema, "enum").map(<[Value]>::to_vec);
        let known = known.or_else(|| schema.get("const").map(|only| vec![only.clone()]));
        let named = [
            ("at least", "minimum"),
            ("at most", "maximum"),
            ("least length", "minLength"),
            ("greatest length", "maxLength"),
            ("encoding", "contentEncoding"),
            ("if absent", "default"),
            ("pattern", "pattern"),
        ];
        Form {
            kind: words.into_iter().flatten().collect::<Vec<_>>().join(", "),
            limits: limits(schema, &named),
            // Default: they cannot be counted.
            choices: known.unwrap_or_default().iter().map(|one| Choice { value: plain(one), meaning: None }).collect(),
            example: list(schema, "examples").and_then(|all| all.first()).map(plain),
            others: Vec::new(),
            inside: Vec::new(),
        }
    }

    fn members(self, schema: &Value, within: &[&str]) -> Members {
        let required = |name: &str| list(schema, "required").is_some_and(|all| all.iter().any(|other| other == name));
        let properties = schema.get("properties").and_then(Value::as_object);
        let of = |(name, schema): (&String, &Value)| Member {
            name: name.clone(),
            place: None,
            required: required(name),
            meaning: self.meaning(schema).map(Words::of),
            form: self.of(schema, within),
        };
        let mut members: Vec<Member> = properties.into_iter().flatten().map(of).collect();
        // What must be there comes first.
        members.sort_by_key(|member| !member.required);
        Members { members }
    }
}

/// The first of them, and how many more there are.
fn in_short(all: &[String]) -> String {
    let said = all.iter().take(SAID).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(SAID);
    if more == 0 { said } else { format!("{said} and {more} more") }
}

fn limits(schema: &Value, named: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let said = |value: &Value| if value == "" { "\"\"".to_owned() } else { plain(value) };
    named.iter().filter_map(|(label, keyword)| Some((*label, said(schema.get(keyword)?)))).collect()
}

/// A text without its quotes, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned) // Default: what is no text is JSON.
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, name: &str) -> Option<&'v [Value]> {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice)
}

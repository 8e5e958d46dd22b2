//! `/docs`: a service's API as a page for people, made once from the document that programs read (`openapi.json`), at the start of a service whose
//! configuration wants it (`public.docs`).
//!
//! What must hold: the page says nothing that the document does not say; it has no script, loads nothing and sends nothing anywhere.

mod schema;
mod words;

use anyhow::{Context as _, Result};
use api::problem::Kind;
use api::problem::code::REQUEST_INVALID;
use askama::Template;
use serde_json::{Map, Value};

use self::schema::{Members, Reader, plain};
use self::words::Words;
use crate::service::RouteDoc;
use crate::{openapi, pages};

const STYLE: &str = include_str!("../../assets/reference.css");

/// An API, for programs and for people.
#[derive(Debug, Clone)]
pub struct Reference {
    /// The `OpenAPI` document of the public listener, as it is committed.
    pub document: String,
    /// The page.
    pub page: String,
    /// The `Content-Security-Policy` of the page: its own style by its hash, and nothing else.
    pub policy: String,
}

impl Reference {
    /// Of these routes of a service, those of its public listener.
    ///
    /// # Errors
    ///
    /// They cannot be described; `openapi` fails, too.
    pub fn of(service: &str, routes: &[RouteDoc]) -> Result<Self> {
        let document = openapi::document(service, "public", routes)?;
        let page = Page::of(service, &serde_json::from_str(&document)?)?.render().context("the page of the API")?;
        let style = pages::own_style(STYLE);
        let policy = format!(
            "default-src 'none'; style-src {style}; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        );
        Ok(Self { document, page, policy })
    }
}

#[derive(Template)]
#[template(path = "reference.html")]
struct Page {
    service: String,
    style: &'static str,
    schemes: Vec<Shown>,
    /// What every refusal looks like.
    problem: Option<Media>,
    groups: Vec<Group>,
}

/// A security scheme.
struct Shown {
    name: String,
    place: String,
    meaning: Words,
}

/// The operations of one resource.
struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    guard: String,
    policy: String,
    layers: Vec<String>,
    /// Ways to authenticate, each a set of schemes with their scopes.
    security: Vec<Vec<(String, String)>>,
    parameters: Option<Members>,
    body: Option<Media>,
    answers: Vec<Answer>,
    refusals: Vec<Refusal>,
    /// Refusals in the form of another standard.
    others: Vec<Media>,
}

/// What comes with a status.
struct Answer {
    status: String,
    reason: String,
    headers: Vec<(String, Words)>,
    media: Vec<Media>,
    /// The operations that take the id of what is answered.
    leads: Vec<String>,
}

/// A content in one media type.
struct Media {
    name: String,
    form: schema::Form,
    /// Nothing is to be said of the form of what another standard describes.
    described: bool,
    example: Option<String>,
}

/// A status that says no, with what it may mean.
struct Refusal {
    status: String,
    reason: String,
    meanings: Vec<(String, Words)>,
    /// Media types beside that of problems.
    others: Vec<String>,
    headers: Vec<String>,
}

impl Page {
    fn of(service: &str, document: &Value) -> Result<Self> {
        let components = object(document, "/components/schemas").context("a document without schemas")?;
        let reader = Reader { components };
        let paths = object(document, "/paths").context("a document without paths")?;
        let mut groups: Vec<Group> = Vec::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().context("a path without methods")? {
                let tag = operation.pointer("/tags/0").map(plain).context("an operation without a tag")?;
                let operation = Operation::of(reader, path, method, operation)?;
                match groups.iter_mut().find(|group| group.name == tag) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group { name: tag, operations: vec![operation] }),
                }
            }
        }
        // What everybody reads, and what pages load, comes last.
        let last = |group: &Group| ["metadata", "assets"].iter().position(|name| *name == group.name);
        groups.sort_by(|one, other| (last(one), &one.name).cmp(&(last(other), &other.name)));
        let schemes = object(document, "/components/securitySchemes").into_iter().flatten();
        let problem = serde_json::json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        let mut problem = Media::of(reader, api::problem::MEDIA_TYPE, &problem);
        problem.example = Some(pretty(&serde_json::to_value(api::Problem::example(400, REQUEST_INVALID))?));
        Ok(Self {
            service: service.to_owned(),
            style: STYLE,
            schemes: schemes.map(|(name, scheme)| Shown::of(name, scheme)).collect(),
            problem: components.contains_key("Problem").then_some(problem),
            groups,
        })
    }
}

impl Shown {
    fn of(name: &str, scheme: &Value) -> Self {
        let word = |name: &str| scheme.get(name).and_then(Value::as_str);
        let place = match (word("type"), word("name"), word("scheme")) {
            (Some("http"), _, Some(scheme)) => format!("Authorization: {scheme} …"),
            (_, Some(header), _) => format!("{header}: …"),
            // Default: a scheme without a place is shown by its kind.
            (kind, ..) => kind.unwrap_or("elsewhere").to_owned(),
        };
        // Default: its name says it.
        Self { name: name.to_owned(), place, meaning: Words::of(word("description").unwrap_or_default()) }
    }
}

impl Operation {
    fn of(reader: Reader<'_>, path: &str, method: &str, operation: &Value) -> Result<Self> {
        let word = |name: &str| operation.get(name).map(plain).with_context(|| format!("{method} {path}: no {name}"));
        let all = |name: &str| operation.get(name).and_then(Value::as_array).into_iter().flatten();
        let mut parameters: Vec<_> = all("parameters").map(|parameter| reader.parameter(parameter)).collect();
        parameters.sort_by_key(|parameter| !parameter.required);
        let answers: Vec<(&String, &Value)> = object(operation, "/responses").into_iter().flatten().collect();
        let (good, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|(status, _)| !status.starts_with(['4', '5']));
        let mut others: Vec<Media> = Vec::new();
        for (name, media) in refused.iter().flat_map(|(_, answer)| contents(answer)) {
            let other = name != api::problem::MEDIA_TYPE && !others.iter().any(|known| known.name == *name);
            let media = Media::of(reader, name, media);
            if other && media.described {
                others.push(media);
            }
        }
        let body = operation.pointer("/requestBody").and_then(|body| contents(body).next());
        Ok(Self {
            id: word("operationId")?,
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            summary: word("summary")?,
            guard: word("x-guard")?,
            policy: word("x-policy")?,
            layers: all("x-layers").map(plain).collect(),
            security: all("security").map(schemes).collect(),
            parameters: (!parameters.is_empty()).then_some(Members { members: parameters }),
            body: body.map(|(name, media)| Media::of(reader, name, media)),
            answers: good.into_iter().map(|(status, answer)| Answer::of(reader, status, answer)).collect(),
            refusals: refused.into_iter().map(|(status, answer)| Refusal::of(status, answer)).collect(),
            others,
        })
    }
}

/// The schemes of one way to authenticate, with the scopes that each must have.
fn schemes(way: &Value) -> Vec<(String, String)> {
    let scopes = |scopes: &Value| {
        let scopes = scopes.as_array().into_iter().flatten().map(plain);
        scopes.collect::<Vec<_>>().join(" ")
    };
    way.as_object().into_iter().flatten().map(|(name, of)| (name.clone(), scopes(of))).collect()
}

impl Answer {
    fn of(reader: Reader<'_>, status: &str, answer: &Value) -> Self {
        let media = contents(answer).map(|(name, media)| Media::of(reader, name, media)).collect();
        let headers = headers(answer).map(|(name, header)| {
            // Default: its name says it.
            let meaning = header.get("description").and_then(Value::as_str).unwrap_or_default();
            (name.clone(), Words::of(meaning))
        });
        let leads = object(answer, "/links").into_iter().flatten().map(|(name, _)| name.clone()).collect();
        Self { status: status.to_owned(), reason: reason(answer), headers: headers.collect(), media, leads }
    }
}

impl Media {
    fn of(reader: Reader<'_>, name: &str, media: &Value) -> Self {
        let described = !name.starts_with("text/") && name != "application/jose";
        // Default: nothing is said of it.
        let form = reader.form(media.get("schema").unwrap_or(&Value::Null));
        let example = media.get("example").filter(|_| described);
        let example =
            example.map(|example| if name.ends_with("form-urlencoded") { form_of(example) } else { pretty(example) });
        Self { name: name.to_owned(), form, described, example }
    }
}

impl Refusal {
    fn of(status: &str, answer: &Value) -> Self {
        let codes = contents(answer).filter_map(|(_, media)| media.pointer("/schema/allOf/1/properties/code/enum"));
        let codes = codes.filter_map(Value::as_array).flatten().map(plain);
        // Default: a code that has no meaning does not get into a document.
        let meanings = codes.map(|code| (Words::of(Kind::of(&code).map_or("", |kind| kind.meaning)), code));
        let others = contents(answer).map(|(name, _)| name.clone()).filter(|name| name != api::problem::MEDIA_TYPE);
        Self {
            status: status.to_owned(),
            reason: reason(answer),
            meanings: meanings.map(|(meaning, code)| (code, meaning)).collect(),
            others: others.collect(),
            headers: headers(answer).map(|(name, _)| name.clone()).collect(),
        }
    }
}

/// The first line of what is said of an answer is what its status is called.
fn reason(answer: &Value) -> String {
    let first = answer.get("description").and_then(Value::as_str).and_then(|text| text.lines().next());
    // Default: a status may have no name.
    first.unwrap_or_default().to_owned()
}

fn contents(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.get("content").and_then(Value::as_object).into_iter().flatten()
}

/// But for the one that every answer has.
fn headers(answer: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let all = answer.get("headers").and_then(Value::as_object).into_iter().flatten();
    all.filter(|(name, _)| *name != "Request-Id")
}

fn object<'v>(value: &'v Value, pointer: &str) -> Option<&'v Map<String, Value>> {
    value.pointer(pointer).and_then(Value::as_object)
}

fn pretty(value: &Value) -> String {
    // Default: what JSON can hold can be written as JSON; in one line it says the same.
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// As a form is sent, a field in each line.
fn form_of(example: &Value) -> String {
    let fields = example.as_object().into_iter().flatten();
    let field = |(name, value): (&String, &Value)| {
        url::form_urlencoded::Serializer::new(String::new()).append_pair(name, &plain(value)).finish()
    };
    fields.map(field).collect::<Vec<_>>().join("\n&")
}

#[cfg(test)]
mod tests;

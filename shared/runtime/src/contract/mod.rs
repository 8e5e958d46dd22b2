//! What a route takes and answers, as its handler's types say it: the one source of `openapi.json`.
//!
//! What must hold: nothing is an argument or an answer of a handler that does not describe itself ([`Described`]), so a route of which nobody could
//! tell what it takes does not compile. Where debug assertions are on, in tests and in the demonstration, every answer is held against the
//! description of its route ([`Contract`]), so a description that says too little does not pass.

mod arguments;
mod check;
mod example;
mod links;
mod schemas;
mod security;

use std::collections::{BTreeMap, BTreeSet};

use api::problem::MEDIA_TYPE;
use schemars::JsonSchema;
use serde_json::{Value, json};

pub use arguments::{JsonAnswer, NoContent, with_status};
pub use check::Contract;
pub(crate) use example::example;
pub(crate) use links::links;
pub(crate) use schemas::{Schemas, referred, renamed};
pub use security::Scheme;

/// A status and a stable code of [`api::problem::code`] that it comes with.
pub type Told = (u16, &'static str);

/// What any route may answer: a target or a head that is too long, a fault of ours, and that the service cannot tell or is busy.
const ALWAYS: &[Told] = &[
    (414, api::problem::code::TOO_LARGE),
    (431, api::problem::code::TOO_LARGE),
    (500, api::problem::code::INTERNAL),
    (503, api::problem::code::BUSY),
    (503, api::problem::code::OUTCOME_UNKNOWN),
];

/// What any route may answer that reads a body.
const BODY: &[Told] = &[
    (400, api::problem::code::REQUEST_INVALID),
    (408, api::problem::code::TIMEOUT),
    (413, api::problem::code::TOO_LARGE),
];

/// An argument or an answer of a handler that says what it takes or gives.
pub trait Described {
    /// Adds it to the operation.
    fn describe(operation: &mut Operation);
}

/// What a handler refuses with beyond what its arguments and the layers do.
pub trait Refusals: 'static {
    /// Each status with each code.
    const TOLD: &'static [Told];
}

/// None of its own.
impl Refusals for () {
    const TOLD: &'static [Told] = &[];
}

/// Names what handlers refuse with, each list a type: `problems! { /// Of a transfer. Transfer: 404 ACCOUNT_NOT_FOUND, 422 SAME_ACCOUNT; }`
#[macro_export]
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($status:literal $code:ident),+ $(,)?;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl $crate::contract::Refusals for $name {
            const TOLD: &'static [$crate::contract::Told] = &[$(($status, ::api::problem::code::$code)),+];
        }
    )+ };
}

/// One operation, in the making.
pub struct Operation {
    pub(crate) schemas: Schemas,
    /// Schemas of what stands in the path, in its order.
    pub(crate) path: Vec<Value>,
    /// `OpenAPI` parameter objects.
    pub(crate) parameters: Vec<Value>,
    pub(crate) body: Option<(&'static str, Value)>,
    pub(crate) answers: BTreeMap<u16, Answer>,
    /// What a caller shows, each with the scopes that it must have.
    pub(crate) security: BTreeMap<Scheme, Vec<&'static str>>,
    /// Those of them that a caller may do without, all together.
    pub(crate) optional: BTreeSet<Scheme>,
    people: bool,
}

/// What comes with one status.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Schema by media type.
    pub(crate) content: BTreeMap<&'static str, Value>,
    /// Codes of problems.
    pub(crate) codes: BTreeSet<&'static str>,
    /// What its headers say, by name.
    pub(crate) headers: BTreeMap<&'static str, &'static str>,
}

impl Operation {
    pub(crate) fn new(schemas: Schemas) -> Self {
        let mut operation = Self {
            schemas,
            path: Vec::new(),
            parameters: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
            security: BTreeMap::new(),
            optional: BTreeSet::new(),
            people: false,
        };
        operation.refuses(ALWAYS);
        operation
    }

    /// It takes a body of this type.
    pub fn takes<T: JsonSchema>(&mut self, media_type: &'static str) {
        self.body = Some((media_type, self.schemas.takes::<T>()));
        self.reads_a_body();
    }

    /// It takes bytes that are somebody else's to describe.
    pub fn takes_bytes(&mut self, media_type: &'static str, meaning: &str) {
        self.body = Some((media_type, json!({ "description": meaning })));
        self.reads_a_body();
    }

    /// Something reads the body, if there is one.
    pub fn reads_a_body(&mut self) {
        self.refuses(BODY);
    }

    /// What stands between the path's braces: of one value or of a tuple.
    pub fn path<T: JsonSchema>(&mut self) {
        let schema = self.schemas.takes::<T>();
        let several = schema.get("prefixItems").and_then(Value::as_array).cloned();
        // Default: one value is no tuple.
        self.path = several.unwrap_or_else(|| vec![schema]);
        self.refuses(&[(400, api::problem::code::REQUEST_INVALID)]);
    }

    /// Its query, each field a parameter.
    pub fn query<T: JsonSchema>(&mut self) {
        self.parameters.extend(self.schemas.parameters::<T>());
        self.refuses(&[(400, api::problem::code::REQUEST_INVALID)]);
    }

    /// A header that it reads.
    pub fn header<T: JsonSchema>(&mut self, name: &str, required: bool, meaning: &str) {
        let schema = self.schemas.takes::<T>();
        self.parameters.push(
            json!({ "name": name, "in": "header", "required": required, "description": meaning, "schema": schema }),
        );
    }

    /// It answers this type.
    pub fn answers<T: JsonSchema>(&mut self, status: u16, media_type: &'static str) {
        let schema = self.schemas.gives::<T>();
        self.answer(status).content.insert(media_type, schema);
    }

    /// It answers what another standard describes: a page, a style sheet, a compact JWS.
    pub fn answers_text(&mut self, status: u16, media_type: &'static str) {
        self.answer(status).content.insert(media_type, json!({ "type": "string" }));
    }

    /// It answers without content.
    pub fn answers_nothing(&mut self, status: u16) {
        self.answer(status);
    }

    /// A header of its answers with this status.
    pub fn answers_header(&mut self, status: u16, name: &'static str, meaning: &'static str) {
        self.answer(status).headers.insert(name, meaning);
    }

    /// It refuses with these problems.
    pub fn refuses(&mut self, told: &[Told]) {
        for (status, code) in told {
            self.answer(*status).codes.insert(code);
        }
    }

    /// Whoever calls shows this, with one of these scopes.
    pub fn shown(&mut self, scheme: Scheme, scopes: &[&'static str]) {
        self.security.entry(scheme).or_default().extend(scopes);
    }

    /// Whoever calls shows this, unless it is somebody who has none of what may be shown.
    pub fn may_show(&mut self, scheme: Scheme) {
        self.shown(scheme, &[]);
        self.optional.insert(scheme);
    }

    /// Its refusals are pages, unless a caller asks for JSON and for no HTML.
    pub fn for_people(&mut self) {
        self.people = true;
    }

    fn answer(&mut self, status: u16) -> &mut Answer {
        self.answers.entry(status).or_default()
    }

    /// The media types of an answer with their schemas: those of problems, too.
    pub(crate) fn content(&self, answer: &Answer) -> BTreeMap<&'static str, Value> {
        let mut content = answer.content.clone();
        if !answer.codes.is_empty() {
            let codes: Vec<_> = answer.codes.iter().collect();
            let problem = json!({ "$ref": "#/components/schemas/Problem" });
            content.insert(
                MEDIA_TYPE,
                json!({ "allOf": [problem, { "type": "object", "properties": { "code": { "enum": codes } } }] }),
            );
            if self.people {
                content.entry("text/html").or_insert_with(|| json!({ "type": "string" }));
            }
        }
        content
    }
}

//! What the handlers take and answer, as types that say so ([`Described`]). What they take is read by whoever handles it: a form that is refused is refused
//! in OAuth's words or on a page.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::body::BoxBody;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, Responder, dev};
use runtime::Single;
use runtime::contract::{Described, Operation, Scheme};
use runtime::extract::{BodyError, read_body};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::Unreadable;
use crate::error::{ErrorCode, PageRefusal, Row, Why};
use crate::form::{self, Parameters};
use crate::forms::{Form, PageAddress};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const HTML: &str = "text/html";
const NONCE: &str = "DPoP-Nonce";
const NONCE_MEANING: &str = "The nonce for the next proof (RFC 9449 §8).";
/// Every way in which a body is not read.
const UNREAD: [BodyError; 4] =
    [BodyError::TooLarge(form::LIMIT), BodyError::Late, BodyError::BrokenOff, BodyError::NoRoom];

/// A request with a form that is not read yet.
pub struct Posted<F> {
    pub(crate) request: HttpRequest,
    payload: dev::Payload,
    form: PhantomData<F>,
}

impl<F: Form> Posted<F> {
    /// Reads it.
    pub(crate) async fn parameters(&mut self) -> Result<Parameters, Unreadable> {
        let content_type = Single::of(self.request.headers(), header::CONTENT_TYPE.as_str());
        if !content_type.one().is_some_and(form::is_form) {
            return Err(Unreadable::form("the body is not application/x-www-form-urlencoded"));
        }
        let body = read_body(&self.request, &mut self.payload, form::LIMIT).await?;
        Ok(Parameters::read::<F>(&body)?)
    }
}

impl<F> FromRequest for Posted<F> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self { request: request.clone(), payload: payload.take(), form: PhantomData }))
    }
}

impl<F: Form> Described for Posted<F> {
    fn describe(operation: &mut Operation) {
        operation.takes::<F>(FORM);
    }
}

/// A request of a client, which authenticates in it.
pub struct ClientRequest<F>(pub(crate) Posted<F>);

impl<F> FromRequest for ClientRequest<F> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        ready(Posted::from_request(request, payload).into_inner().map(Self))
    }
}

impl<F: Form> Described for ClientRequest<F> {
    fn describe(operation: &mut Operation) {
        operation.takes::<F>(FORM);
        operation.may_show(Scheme::ClientAttestation);
        operation.may_show(Scheme::DpopProof);
    }
}

/// A form that was sent from one of the pages.
pub struct Submitted<F>(pub(crate) Posted<F>);

impl<F> FromRequest for Submitted<F> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        ready(Posted::from_request(request, payload).into_inner().map(Self))
    }
}

impl<F: Form> Described for Submitted<F> {
    fn describe(operation: &mut Operation) {
        operation.query::<PageAddress>();
        operation.takes::<F>(FORM);
    }
}

/// A request for a page, whose address says the rest.
pub struct Visit<F> {
    pub(crate) request: HttpRequest,
    address: PhantomData<F>,
}

impl<F> FromRequest for Visit<F> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self { request: request.clone(), address: PhantomData }))
    }
}

impl<F: Form> Described for Visit<F> {
    fn describe(operation: &mut Operation) {
        operation.query::<F>();
    }
}

/// A request for what an access token opens.
pub struct Opened(pub(crate) HttpRequest);

impl FromRequest for Opened {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self(request.clone())))
    }
}

impl Described for Opened {
    fn describe(operation: &mut Operation) {
        operation.shown(Scheme::AccessToken, &[crate::scopes::OPENID]);
        operation.shown(Scheme::DpopProof, &[]);
    }
}

/// What a protocol endpoint refuses with (RFC 6749 §5.2).
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the form of an answer that is written member by member")]
pub(crate) struct OAuthError {
    /// The code.
    #[schemars(schema_with = "error_codes")]
    error: String,
    /// For the client's developer.
    error_description: String,
}

fn error_codes(_: &mut SchemaGenerator) -> Schema {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    json_schema!({ "type": "string", "enum": codes })
}

/// How a protocol endpoint says no: the rows of the one table that can be meant here.
fn refusals(operation: &mut Operation, meant: impl Fn(&Row) -> Option<u16>) {
    let rows = Why::ALL.iter().copied().chain(UNREAD.map(Why::Body)).map(Why::row);
    for status in rows.filter_map(|row| meant(&row)) {
        operation.answers::<OAuthError>(status, JSON);
        operation.answers_header(status, NONCE, NONCE_MEANING);
    }
}

/// A protocol endpoint's answer, under this status, or its refusal.
pub struct Protocol<T, const STATUS: u16>(HttpResponse, PhantomData<T>);

impl<T: Serialize, const STATUS: u16> Protocol<T, STATUS> {
    /// With the nonce that the builder has from [`super::builder`].
    pub(super) fn answer(mut builder: HttpResponseBuilder, body: &T) -> Self {
        Self(builder.json(body), PhantomData)
    }

    pub(super) fn refused(refusal: HttpResponse) -> Self {
        Self(refusal, PhantomData)
    }
}

impl<T, const STATUS: u16> Responder for Protocol<T, STATUS> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.0
    }
}

impl<T: JsonSchema, const STATUS: u16> Described for Protocol<T, STATUS> {
    fn describe(operation: &mut Operation) {
        operation.answers::<T>(STATUS, JSON);
        operation.answers_header(STATUS, NONCE, NONCE_MEANING);
        refusals(operation, |row| (!OF_TOKENS.contains(&row.layer)).then_some(row.status));
    }
}

/// What an access token opens, or a refusal.
pub struct Resource<T>(HttpResponse, PhantomData<T>);

impl<T: Serialize> Resource<T> {
    pub(crate) fn opened(mut builder: HttpResponseBuilder, body: &T) -> Self {
        Self(builder.json(body), PhantomData)
    }

    pub(crate) fn refused(refusal: HttpResponse) -> Self {
        Self(refusal, PhantomData)
    }
}

impl<T> Responder for Resource<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.0
    }
}

impl<T: JsonSchema> Described for Resource<T> {
    fn describe(operation: &mut Operation) {
        operation.answers::<T>(200, JSON);
        operation.answers_header(200, NONCE, NONCE_MEANING);
        refusals(operation, |row| match row.layer {
            // At a resource every problem of the proof is a 401.
            "dpop" => Some(401),
            layer if OF_TOKENS.contains(&layer) || ["availability", "internal"].contains(&layer) => Some(row.status),
            _ => None,
        });
    }
}

/// A document that is the same for everybody, for a while.
pub struct Cached<T>(T);

impl<T> Cached<T> {
    pub(crate) fn new(document: T) -> Self {
        Self(document)
    }
}

impl<T: Serialize> Responder for Cached<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=3600")).json(self.0)
    }
}

impl<T: JsonSchema> Described for Cached<T> {
    fn describe(operation: &mut Operation) {
        operation.answers::<T>(200, JSON);
    }
}

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident: $describe:expr;)+) => { $(
        $(#[$doc])*
        pub struct $name(pub(crate) HttpResponse);

        impl Responder for $name {
            type Body = BoxBody;

            fn respond_to(self, _: &HttpRequest) -> HttpResponse {
                self.0
            }
        }

        impl Described for $name {
            fn describe(operation: &mut Operation) {
                let describe: fn(&mut Operation) = $describe;
                describe(operation);
            }
        }
    )+ };
}

answers! {
    /// A page, the way to the next one, or a page that says no.
    Page: |operation| {
        for status in [200, 422, 429] {
            operation.answers_text(status, HTML);
        }
        operation.answers_nothing(303);
        operation.answers_header(303, "Location", "The next page, or the client.");
        for row in PageRefusal::ALL.iter().copied().chain(UNREAD.map(PageRefusal::Body)).map(PageRefusal::row) {
            operation.answers_text(row.status, HTML);
        }
    };
    /// The keys that verify its tokens.
    PublicKeys: |operation| operation.answers::<KeySet>(200, "application/jwk-set+json");
    /// A style sheet.
    StyleSheet: |operation| operation.answers_text(200, "text/css");
    /// A picture.
    Picture: |operation| operation.answers_text(200, "image/svg+xml");
    /// A script.
    Script: |operation| operation.answers_text(200, "text/javascript");
}

/// Layers of what an access token is refused for.
const OF_TOKENS: [&str; 2] = ["access_token", "authorization"];

/// RFC 7517 §5.
struct KeySet;

impl JsonSchema for KeySet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeySet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A set of public keys (RFC 7517 §5).",
            "required": ["keys"],
            "properties": { "keys": { "type": "array", "items": {
                "type": "object",
                "required": ["kty", "crv", "x", "y", "kid"],
                "properties": {
                    "kty": { "const": "EC" },
                    "crv": { "const": "P-256" },
                    "x": { "type": "string", "examples": ["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"] },
                    "y": { "type": "string", "examples": ["x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"] },
                    "kid": { "type": "string", "examples": ["2026-11"] },
                    "use": { "const": "sig" },
                    "alg": { "const": "ES256" },
                },
            } } },
        })
    }
}

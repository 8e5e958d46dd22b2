//! What the arguments and answers of actix and of this crate say of themselves.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder, web};
use api::problem::code;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Described, Operation, Refusals};
use crate::handler::AnswerOrRefusal;
use crate::{ApiForm, ApiJson, OwnForm, form};

const JSON: &str = "application/json";

/// What handlers share is nothing of the request's.
impl<T: 'static> Described for web::Data<T> {
    fn describe(_: &mut Operation) {}
}

/// What a layer has put there is described with the layer.
impl<T: Clone + 'static> Described for web::ReqData<T> {
    fn describe(_: &mut Operation) {}
}

impl<T: JsonSchema> Described for ApiJson<T> {
    fn describe(operation: &mut Operation) {
        operation.takes::<T>(JSON);
        operation.refuses(&[(415, code::UNSUPPORTED_MEDIA_TYPE)]);
    }
}

impl<T: JsonSchema> Described for ApiForm<T> {
    fn describe(operation: &mut Operation) {
        operation.takes::<T>(form::MEDIA_TYPE);
        operation.refuses(&[(415, code::UNSUPPORTED_MEDIA_TYPE)]);
    }
}

impl<T: JsonSchema> Described for OwnForm<T> {
    fn describe(operation: &mut Operation) {
        ApiForm::<T>::describe(operation);
        operation.refuses(&[(403, code::FORBIDDEN)]);
    }
}

impl<T: JsonSchema> Described for web::Path<T> {
    fn describe(operation: &mut Operation) {
        operation.path::<T>();
    }
}

impl<T: JsonSchema> Described for web::Query<T> {
    fn describe(operation: &mut Operation) {
        operation.query::<T>();
    }
}

/// As an answer: a body is taken as [`ApiJson`].
impl<T: JsonSchema> Described for web::Json<T> {
    fn describe(operation: &mut Operation) {
        operation.answers::<T>(200, JSON);
    }
}

impl<R: Described, E, L: Refusals> Described for AnswerOrRefusal<R, E, L> {
    fn describe(operation: &mut Operation) {
        R::describe(operation);
        operation.refuses(L::TOLD);
    }
}

/// An answer that has this status and nothing else to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoContent<const STATUS: u16>;

impl<const STATUS: u16> Described for NoContent<STATUS> {
    fn describe(operation: &mut Operation) {
        operation.answers_nothing(STATUS);
    }
}

impl<const STATUS: u16> Responder for NoContent<STATUS> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        with_status(STATUS, |mut builder| builder.finish())
    }
}

/// A body as JSON under this status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonAnswer<T, const STATUS: u16>(pub T);

impl<T: JsonSchema, const STATUS: u16> Described for JsonAnswer<T, STATUS> {
    fn describe(operation: &mut Operation) {
        operation.answers::<T>(STATUS, JSON);
    }
}

impl<T: Serialize, const STATUS: u16> Responder for JsonAnswer<T, STATUS> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        with_status(STATUS, |mut builder| builder.json(self.0))
    }
}

/// An answer under this status. A status that is none is a fault of ours.
pub fn with_status(status: u16, answer: impl FnOnce(HttpResponseBuilder) -> HttpResponse) -> HttpResponse {
    match StatusCode::from_u16(status) {
        Ok(status) => answer(HttpResponse::build(status)),
        Err(error) => HttpResponse::from_error(crate::Refusal::internal(&error)),
    }
}

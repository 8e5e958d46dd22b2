//! What the handlers share: answers to a POST that may be a repetition.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use api::header::IDEMPOTENT_REPLAYED;
use serde::Serialize;

/// The answer to a POST. A repetition gets the first one's status and body, and a header that says so.
pub fn answer(status: StatusCode, body: &impl Serialize, replayed: bool) -> HttpResponse {
    let mut builder = HttpResponse::build(status);
    if replayed {
        builder.insert_header((IDEMPOTENT_REPLAYED, "true"));
    }
    builder.json(body)
}

/// `201 Created`, or the same again.
pub fn created(body: &impl Serialize, replayed: bool) -> HttpResponse {
    answer(StatusCode::CREATED, body, replayed)
}

//! The two well-known documents, which are one.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use defense::Public;

use super::Metadata;
use crate::provider::Provider;

/// Public: how to begin.
pub async fn get_metadata(_: Public, provider: web::Data<Provider>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=3600")).json(Metadata::of(&provider))
}

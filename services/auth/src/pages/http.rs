//! The style sheet.

use actix_web::HttpResponse;
use actix_web::http::header;
use defense::Public;

use super::STYLE;

/// Public: it is the same for everybody.
pub async fn get_style(_: Public) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(STYLE)
}

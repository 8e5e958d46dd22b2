//! `GET /jwks.json`, on both listeners.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use defense::Public;

use crate::http::PublicKeys;
use crate::provider::Provider;

/// Public: these keys only verify. Resource servers fetch them on the internal listener.
pub async fn get_jwks(_: Public, provider: web::Data<Provider>) -> PublicKeys {
    let answer = HttpResponse::Ok()
        .content_type("application/jwk-set+json")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(provider.keys.jwks().to_string());
    PublicKeys(answer)
}

//! The two well-known documents, which are one.

use actix_web::web;
use defense::Public;

use super::Metadata;
use crate::http::Cached;
use crate::provider::Provider;

/// Public: how to begin.
pub async fn get_metadata(_: Public, provider: web::Data<Provider>) -> Cached<Metadata> {
    Cached::new(Metadata::of(&provider))
}

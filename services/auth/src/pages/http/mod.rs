//! The handlers of all pages, the style sheet, and what every page that belongs to an interaction begins with.

pub mod authorize;
pub mod consent;
pub mod login;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use defense::Public;
use runtime::Cookies;

use super::STYLE;
use crate::authorizations::Interaction;
use crate::error::PageRefusal;
use crate::form::Parameters;
use crate::http::{form, from_our_page, query};
use crate::provider::Provider;

/// Public: it is the same for everybody.
pub async fn get_style(_: Public) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(STYLE)
}

/// The interaction that a page's address and the browser's cookie name.
async fn interaction(provider: &Provider, request: &HttpRequest) -> Result<Interaction, PageRefusal> {
    Interaction::load(provider, &query(request)?, &Cookies::of(request)?, provider.clock.unix()).await
}

/// A form that was sent from one of our pages by the browser that the interaction belongs to.
async fn submitted(
    provider: &Provider,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Interaction, Parameters), PageRefusal> {
    from_our_page(provider, request)?;
    let form = form(request, payload).await?;
    let interaction = interaction(provider, request).await?;
    interaction.check_csrf(&form)?;
    Ok((interaction, form))
}

//! `POST /webhooks/{provider}`.

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use api::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use defense::Public;
use runtime::{Single, extract};

use super::receive::{Received, Receiver};
use super::signature::{Headers, WebhookRefusal};
use crate::error::Error;
use crate::ids::ProviderName;

/// Takes a webhook. Public because third parties have no certificate of ours: the signature over the raw body is the guard.
pub async fn post(
    _: Public,
    request: HttpRequest,
    provider: web::Path<ProviderName>,
    payload: web::Payload,
    receiver: web::Data<Receiver>,
) -> Result<HttpResponse, Error> {
    let terms = receiver.terms(&provider)?;
    let body = extract::read_body(&request, &mut payload.into_inner(), terms.max_bytes()).await?;
    let headers = headers(request.headers()).ok_or(WebhookRefusal::Headers)?;
    match receiver.receive(&terms, &headers, &body).await? {
        Received::New | Received::Again | Received::Reopened => Ok(HttpResponse::Accepted().finish()),
    }
}

/// The three headers, each exactly once.
fn headers(all: &HeaderMap) -> Option<Headers<'_>> {
    let single = |name| Single::of(all, name).one();
    Some(Headers {
        id: single(WEBHOOK_ID)?,
        timestamp: single(WEBHOOK_TIMESTAMP)?,
        signature: single(WEBHOOK_SIGNATURE)?,
    })
}

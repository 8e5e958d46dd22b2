//! `POST /webhooks/{provider}`.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest, dev, web};
use api::header::{WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use defense::Public;
use runtime::contract::{Described, NoContent, Operation};
use runtime::{Single, extract};

use super::receive::{Received, Receiver};
use super::signature::{Headers, WebhookRefusal};
use crate::error::Error;
use crate::ids::ProviderName;

/// A webhook as it comes: what it says is looked at by whoever has found its provider.
pub struct Delivery {
    request: HttpRequest,
    payload: dev::Payload,
}

impl FromRequest for Delivery {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self { request: request.clone(), payload: payload.take() }))
    }
}

/// Standard Webhooks; what the body says, the provider describes.
impl Described for Delivery {
    fn describe(operation: &mut Operation) {
        operation.header::<String>(
            "Webhook-Id",
            true,
            "The provider's name for the event: the same again changes nothing.",
        );
        operation.header::<String>("Webhook-Timestamp", true, "Seconds since the epoch.");
        operation.header::<String>(
            "Webhook-Signature",
            true,
            "Signatures with a space between them: `v1,` and base64.",
        );
        operation.takes_bytes("application/json", "As the provider's manifest says.");
    }
}

/// Takes a webhook. Public because third parties have no certificate of ours: the signature over the raw body is the guard.
pub async fn post(
    _: Public,
    provider: web::Path<ProviderName>,
    delivery: Delivery,
    receiver: web::Data<Receiver>,
) -> Result<NoContent<202>, Error> {
    // Read before anything is said of the provider, and up to the same length whoever it is: no answer tells a stranger which ones there are.
    let Delivery { request, mut payload } = delivery;
    let body = extract::read_body(&request, &mut payload, receiver.max_bytes()).await?;
    let terms = receiver.terms(&provider)?;
    let headers = headers(request.headers()).ok_or(WebhookRefusal::Headers)?;
    match receiver.receive(&terms, &headers, &body).await? {
        Received::New | Received::Again | Received::Reopened => Ok(NoContent),
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

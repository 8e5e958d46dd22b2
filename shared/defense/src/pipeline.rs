//! Runs the layers in order, counts and audits each decision, and signs the answer.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody, to_bytes_limited};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use identity::Principal;
use identity::message_signature::{self, ResponseParts};
use runtime::extract;
use runtime::{Clock, Refusal, RequestId, Who, metrics};

use crate::{Decision, Facts, Inbound, Layer, Needs};

/// An answer larger than this is not signed but refused: it is a fault of ours.
const MAX_RESPONSE: usize = 1024 * 1024;

/// The layers before a handler, in order. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    layers: Arc<Vec<Box<dyn Layer>>>,
    authority: Arc<str>,
    clock: Arc<dyn Clock>,
}

impl Pipeline {
    /// A pipeline of `layers`, run in that order, for the API that the world reaches under `origin` (`https://host:port`).
    pub fn new(layers: Vec<Box<dyn Layer>>, origin: &str, clock: Arc<dyn Clock>) -> Self {
        let authority = origin.trim_start_matches("https://").trim_end_matches('/').into();
        Self { layers: Arc::new(layers), authority, clock }
    }

    /// Runs the layers and, when all of them pass, the handler.
    pub async fn run<B: MessageBody + 'static>(
        &self,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let mut inbound = Inbound::new(&request, &self.authority, self.clock.unix());
        let mut facts = Facts::default();
        let body = match self.admit(&mut request, &mut inbound, &mut facts).await {
            Ok(body) => body,
            // Not signed, whatever the layer: somebody on the way may have passed the request on, and have shown a copy of it to another process,
            // whose memories and nonces are its own. Signed, that refusal would be the phone's proof that nothing has happened.
            Err(refusal) => return Ok(request.into_response(refusal.error_response()).map_into_boxed_body()),
        };
        if let Some(principal) = principal(&facts) {
            request.extensions_mut().insert(Rc::new(principal));
        }
        request.set_payload(Payload::from(body));
        let response = next.call(request).await?;
        sign(response, &inbound, &facts).await
    }

    /// Whoever is refused by what the head shows has sent the body for nothing: it is not read.
    async fn admit(
        &self,
        request: &mut ServiceRequest,
        inbound: &mut Inbound,
        facts: &mut Facts,
    ) -> Result<Bytes, Refusal> {
        self.judge(Needs::Head, inbound, facts).await?;
        let (head, payload) = request.parts_mut();
        inbound.body = extract::read_body(head, payload, extract::JSON_LIMIT).await?;
        inbound.now = self.clock.unix();
        self.judge(Needs::Body, inbound, facts).await?;
        Ok(inbound.body.clone())
    }

    async fn judge(&self, needs: Needs, inbound: &Inbound, facts: &mut Facts) -> Result<(), Refusal> {
        for layer in self.layers.iter().filter(|layer| layer.needs() == needs) {
            match layer.decide(inbound, facts).await {
                // Decision: what a layer lets pass is counted as well.
                Decision::Pass => metrics::decision(layer.name(), "pass"),
                Decision::Refuse(refusal) => return Err(refusal.about(who(facts))),
                Decision::Challenge(refusal) => return Err(refusal.challenge().about(who(facts))),
            }
        }
        Ok(())
    }
}

/// Who and what, once both are known and bound to one key.
fn principal(facts: &Facts) -> Option<Principal> {
    let (what, who) = (facts.attestation.as_ref()?, facts.access.as_ref()?);
    Some(Principal {
        subject: who.sub.as_str().into(),
        client_id: who.client_id.clone(),
        jkt: who.cnf.jkt.clone(),
        scopes: who.scopes().map(str::to_owned).collect(),
        support_id: what.support_id.clone(),
        app: what.app.clone(),
        level: what.level,
        token_id: who.jti.clone(),
    })
}

fn who(facts: &Facts) -> Who {
    Who {
        subject: facts.access.as_ref().map(|claims| claims.sub.clone()),
        support_id: facts.attestation.as_ref().map(|claims| claims.support_id.to_string()),
        claimed_support_id: facts.claimed_support_id.clone(),
        ..Who::default()
    }
}

/// Signs the answer under the session key, so that the phone notices a forged balance (ATTACKS 32).
async fn sign<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    inbound: &Inbound,
    facts: &Facts,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (Some(key), Some(request_signature)) = (facts.session_key.as_ref(), inbound.single("signature")) else {
        return Ok(response.map_into_boxed_body());
    };
    if !facts.signed {
        return Ok(response.map_into_boxed_body());
    }
    let (request, response) = response.into_parts();
    let mut response = response.map_into_boxed_body();
    if let Some(id) = request.extensions().get::<RequestId>() {
        // A refusal gets its request id in the body; what is signed is the final one.
        runtime::complete_problem(&mut response, id);
    }
    let (response, body) = response.into_parts();
    let body = to_bytes_limited(body, MAX_RESPONSE)
        .await
        .map_err(|_| Refusal::internal(&"an answer is larger than what is signed"))?
        .map_err(|_| Refusal::internal(&"an answer's body failed"))?;
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let parts = ResponseParts { status: response.status().as_u16(), content_type, body: &body };
    let signed = message_signature::sign_response(key.expose(), &parts, request_signature, inbound.now)
        .map_err(|_| Refusal::internal(&"an answer cannot be signed"))?;
    let mut response = response.set_body(BoxBody::new(body));
    for (name, value) in [
        (api::header::CONTENT_DIGEST, signed.content_digest),
        (api::header::SIGNATURE_INPUT, Some(signed.signature_input)),
        (api::header::SIGNATURE, Some(signed.signature)),
    ] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(ServiceResponse::new(request, response))
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;

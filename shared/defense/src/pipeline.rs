//! Runs the layers in order, counts and audits each decision, and signs the answer.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody, to_bytes_limited};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use identity::{Principal, message_signature};
use runtime::{Clock, audit, telemetry};

use crate::{Decision, Facts, Inbound, Layer};

/// An answer larger than this is not signed but refused: it is a fault of ours.
const MAX_RESPONSE: usize = 1024 * 1024;

/// The layers before a handler, in order. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    layers: Arc<Vec<Box<dyn Layer>>>,
    clock: Arc<dyn Clock>,
}

impl Pipeline {
    /// A pipeline of `layers`, run in that order.
    pub fn new(layers: Vec<Box<dyn Layer>>, clock: Arc<dyn Clock>) -> Self {
        Self { layers: Arc::new(layers), clock }
    }

    /// Runs the layers and, when all of them pass, the handler.
    pub async fn run<B: MessageBody + 'static>(
        &self,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        // The size limit stands before everything else: the extractor refuses a body above it.
        let body = match request.extract::<Bytes>().await {
            Ok(body) => body,
            Err(error) => return Ok(request.error_response(error).map_into_boxed_body()),
        };
        let inbound = Inbound::new(&request, body.clone(), self.clock.unix());
        let mut facts = Facts::default();
        for layer in self.layers.iter() {
            match layer.decide(&inbound, &mut facts).await {
                Decision::Pass => telemetry::decision(layer.name(), "pass"),
                Decision::Refuse { reason, problem } => {
                    telemetry::decision(layer.name(), "refuse");
                    audit::refused(layer.name(), reason, subject(&facts));
                    return Ok(request.into_response(problem.error_response()).map_into_boxed_body());
                }
                Decision::Challenge { reason, problem } => {
                    telemetry::decision(layer.name(), "challenge");
                    audit::challenged(layer.name(), reason, subject(&facts));
                    return Ok(request.into_response(problem.error_response()).map_into_boxed_body());
                }
            }
        }
        if let Some(principal) = principal(&facts) {
            request.extensions_mut().insert(Rc::new(principal));
        }
        request.set_payload(Payload::from(body));
        let response = next.call(request).await?;
        sign(response, &inbound, &facts).await
    }
}

/// Who and what, once both are known and bound to one key.
fn principal(facts: &Facts) -> Option<Principal> {
    let (what, who) = (facts.attestation.as_ref()?, facts.access.as_ref()?);
    Some(Principal {
        subject: who.sub.clone(),
        client_id: who.client_id.clone(),
        jkt: who.cnf.jkt.clone(),
        scopes: who.scope.split(' ').map(str::to_owned).collect(),
        support_id: what.support_id.clone(),
        app: what.app.clone(),
        level: what.level,
        token_id: who.jti.clone(),
    })
}

fn subject(facts: &Facts) -> Option<&str> {
    facts.access.as_ref().map(|claims| claims.sub.as_str())
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
    let (response, body) = response.into_parts();
    let body = to_bytes_limited(body, MAX_RESPONSE)
        .await
        .map_err(|_| runtime::problem::internal("an answer is larger than what is signed"))?
        .map_err(|_| runtime::problem::internal("an answer's body failed"))?;
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let signed = message_signature::sign_response(
        key.expose(),
        response.status().as_u16(),
        content_type,
        &body,
        request_signature,
        inbound.now,
    );
    let mut response = response.set_body(BoxBody::new(body));
    for (name, value) in signed.map_err(|_| runtime::problem::internal("an answer cannot be signed"))?.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(ServiceResponse::new(request, response))
}

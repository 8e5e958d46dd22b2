//! The engine: takes each request through the layers that its route's policy names.
//!
//! The layers that need the head look, then the body is read, then those look that need it, then those that need to know who calls. If nothing is against
//! it, what is good once is used up, and the handler runs. The answer goes back through the layers that had their turn, last one first.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use runtime::{Clock, Problem, Refusal, extract};

use crate::policy::{Class, Unknown};
use crate::trail::{Said, Trail};
use crate::{Access, Facts, Inbound, Layer, LayerId, Needs, Outgoing, Verdict};

/// The layers of a service. Cheap to clone.
#[derive(Clone)]
pub struct Defense(Arc<Inner>);

struct Inner {
    /// In their order.
    layers: Vec<Box<dyn Layer>>,
    authority: String,
    clock: Arc<dyn Clock>,
}

/// A route needs a layer that its service has not built.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} is to stand behind the layer `{layer}`, which this service has not built")]
pub struct LayerMissing {
    pub(crate) method: String,
    pub(crate) path: &'static str,
    pub(crate) layer: &'static str,
}

impl Defense {
    /// The layers of the service that the world reaches under `origin` (`https://host:port`).
    pub fn new(mut layers: Vec<Box<dyn Layer>>, origin: &str, clock: Arc<dyn Clock>) -> Self {
        layers.sort_by_key(|layer| layer.id());
        let authority = crate::stack::authority(origin).to_owned();
        Self(Arc::new(Inner { layers, authority, clock }))
    }

    /// The first layer of the class that is not there.
    pub(crate) fn lacks(&self, class: &Class) -> Option<LayerId> {
        class.layers.iter().copied().find(|wanted| !self.0.layers.iter().any(|layer| layer.id() == *wanted))
    }

    /// Takes a request through the layers of its class and, if nothing is against it, to the handler.
    pub(crate) async fn run<B: MessageBody + 'static>(
        &self,
        class: &'static Class,
        access: Access,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let inbound = Inbound::new(&request, &self.0.authority, class, access, self.0.clock.unix());
        let layers: Vec<&dyn Layer> =
            self.0.layers.iter().map(|layer| &**layer).filter(|layer| class.layers.contains(&layer.id())).collect();
        let mut passage = Passage { class, inbound, facts: Facts::default(), trail: Trail::default() };
        let admitted = passage.admit(&layers, &mut request, &*self.0.clock).await;
        let refused = admitted.is_err();
        let response = match admitted {
            Ok(()) => {
                if let Some(principal) = passage.facts.principal() {
                    request.extensions_mut().insert(principal);
                }
                if let Some(tried) = &passage.facts.captcha {
                    request.extensions_mut().insert(Rc::clone(&tried.attempt));
                }
                next.call(request).await?.map_into_boxed_body()
            }
            Err(refusal) => request.into_response(refusal.error_response()).map_into_boxed_body(),
        };
        passage.answer(&layers, response, refused).await
    }
}

/// One request on its way.
struct Passage {
    class: &'static Class,
    inbound: Inbound,
    facts: Facts,
    trail: Trail,
}

impl Passage {
    async fn admit(
        &mut self,
        layers: &[&dyn Layer],
        request: &mut ServiceRequest,
        clock: &dyn Clock,
    ) -> Result<(), Refusal> {
        self.examine(layers, Needs::Head).await?;
        // Whoever is refused by what the head shows has sent the body for nothing: it is not read.
        if layers.iter().any(|layer| layer.needs() > Needs::Head) {
            let (head, payload) = request.parts_mut();
            self.inbound.body = extract::read_body(head, payload, extract::JSON_LIMIT).await?;
            self.inbound.now = clock.unix();
            request.set_payload(Payload::from(Bytes::clone(&self.inbound.body)));
        }
        self.examine(layers, Needs::Body).await?;
        self.examine(layers, Needs::Principal).await?;
        for layer in layers {
            let finding = layer.claim(&self.inbound, &self.facts).await;
            self.facts.absorb(finding.facts);
            self.judge(layer.id(), finding.verdict)?;
        }
        Ok(())
    }

    async fn examine(&mut self, layers: &[&dyn Layer], needs: Needs) -> Result<(), Refusal> {
        for layer in layers.iter().filter(|layer| layer.needs() == needs) {
            let finding = layer.examine(&self.inbound, &self.facts).await;
            self.facts.absorb(finding.facts);
            self.judge(layer.id(), finding.verdict)?;
        }
        Ok(())
    }

    /// What a verdict means here.
    fn judge(&mut self, layer: LayerId, verdict: Verdict) -> Result<(), Refusal> {
        let (said, refusal) = match verdict {
            Verdict::Pass => {
                self.trail.pass(layer);
                return Ok(());
            }
            Verdict::Unknown(reason) if self.class.unknown == Unknown::Pass => {
                runtime::tracing::warn!(layer = layer.name(), reason, "a layer cannot tell, and the request goes on");
                self.trail.note(layer, Said::Unknown);
                return Ok(());
            }
            Verdict::Unknown(reason) => (Said::Unknown, Refusal::new(layer.name(), reason, Problem::busy(1))),
            Verdict::Refuse(refusal) => (Said::Refuse, refusal),
            Verdict::Challenge(refusal) => (Said::Challenge, refusal.challenge()),
        };
        let refusal = refusal.about(self.facts.who());
        self.trail.note(layer, said);
        Err(refusal)
    }

    /// The layers see the answer, last one first.
    async fn answer(
        self,
        layers: &[&dyn Layer],
        response: ServiceResponse<BoxBody>,
        refused: bool,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        self.trail.close();
        let (request, response) = response.into_parts();
        let challenged = self.trail.decisions().iter().any(|decision| decision.said == Said::Challenge);
        let mut answer = Outgoing { response, refused, challenged };
        for layer in layers.iter().rev() {
            answer = layer.answered(&self.inbound, &self.facts, answer).await?;
        }
        Ok(ServiceResponse::new(request, answer.response))
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;

//! The engine: takes each request through the layers that its route's policy names.
//!
//! The layers that need the head look, then the body is read, then those look that need it, then those that need to know who calls. If nothing is against
//! it, and whoever calls may still do so, what is good once is used up, last layer first, and the handler runs. The answer goes back through the layers that had their turn, last one first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpRequest, ResponseError as _};
use runtime::{Clock, Problem, Refusal, Who, extract};

use crate::hops::Found;
use crate::idempotency::Made;
use crate::mode::Modes;
use crate::notes::Notes;
use crate::policy::{Class, Unknown};
use crate::receipts::{Line, Receipt};
use crate::trail::{Decision, Said, Trail};
use crate::{Access, Facts, Inbound, Layer, LayerId, Mode, Needs, Outgoing, Receipts, Verdict};

/// The layers of a service. Cheap to clone.
#[derive(Clone)]
pub struct Defense(Arc<Inner>);

struct Inner {
    /// In their order.
    layers: Vec<Box<dyn Layer>>,
    place: Place,
}

/// Where layers stand.
pub struct Place {
    /// The authority under which the world reaches the service.
    pub authority: String,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What became of the requests.
    pub receipts: Receipts,
    pub(crate) modes: Modes,
}

impl Place {
    /// A service that the world reaches under `origin` (`https://host:port`); every layer is enforced.
    pub fn new(origin: &str, clock: Arc<dyn Clock>, receipts: Receipts) -> Self {
        Self { authority: crate::stack::authority(origin).to_owned(), clock, receipts, modes: Modes::default() }
    }
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
    /// These layers, in such a place.
    pub fn new(mut layers: Vec<Box<dyn Layer>>, place: Place) -> Self {
        layers.sort_by_key(|layer| layer.id());
        Self(Arc::new(Inner { layers, place }))
    }

    /// What became of the requests.
    pub(crate) fn receipts(&self) -> &Receipts {
        &self.0.place.receipts
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
        let Inner { layers, place } = &*self.0;
        let inbound = Inbound::new(&request, &place.authority, class, access, place.clock.unix());
        let layers: Vec<&dyn Layer> =
            layers.iter().map(|layer| &**layer).filter(|layer| class.layers.contains(&layer.id())).collect();
        let (facts, trail) = (Facts::default(), Trail::default());
        let mut passage = Passage { class, place, inbound, facts, trail };
        let admitted = passage.admit(&layers, &mut request).await;
        let refused = admitted.is_err();
        // Whatever becomes of the handler, what the layers found is known.
        passage.keep(request.request(), refused);
        let response = match admitted {
            Ok(()) => {
                if let Some(principal) = passage.facts.principal() {
                    request.extensions_mut().insert(principal);
                }
                if let Some(address) = passage.facts.address {
                    request.extensions_mut().insert(Found(address));
                }
                if let Some(tried) = &passage.facts.captcha {
                    request.extensions_mut().insert(tried.clone());
                }
                if let Some(keyed) = passage.facts.keyed_app.clone() {
                    request.extensions_mut().insert(keyed);
                }
                next.call(request).await?.map_into_boxed_body()
            }
            Err(refusal) => request.into_response(refusal.error_response()).map_into_boxed_body(),
        };
        passage.answer(&layers, response, refused).await
    }
}

/// Bytes of a method's name: the longest registered one has 17.
const METHOD: usize = 17;

/// One request on its way.
struct Passage<'a> {
    class: &'static Class,
    place: &'a Place,
    inbound: Inbound,
    facts: Facts,
    trail: Trail,
}

impl Passage<'_> {
    async fn admit(&mut self, layers: &[&dyn Layer], request: &mut ServiceRequest) -> Result<(), Refusal> {
        self.examine(layers, Needs::Head).await?;
        // Whoever is refused by what the head shows has sent the body for nothing: it is not read.
        let readers = layers.iter().filter(|layer| layer.needs() > Needs::Head);
        if let Some(most) = readers.map(|layer| layer.most()).min() {
            let (head, payload) = request.parts_mut();
            self.inbound.body = extract::read_body(head, payload, most).await?;
            self.inbound.now = self.place.clock.unix();
            request.set_payload(Payload::from(Bytes::clone(&self.inbound.body)));
        }
        self.examine(layers, Needs::Body).await?;
        self.examine(layers, Needs::Principal).await?;
        self.weigh(layers).await?;
        // Last layer first: what was used before is found before it costs anybody's rate.
        for layer in layers.iter().rev().filter(|layer| self.place.modes.of(layer.id()) == Mode::Enforce) {
            let (began, finding) = (began(), layer.claim(&self.inbound, &self.facts).await);
            self.facts.absorb(finding.facts);
            self.judge(layer.id(), finding.verdict, began.elapsed())?;
        }
        Ok(())
    }

    async fn examine(&mut self, layers: &[&dyn Layer], needs: Needs) -> Result<(), Refusal> {
        for layer in layers.iter().filter(|layer| layer.needs() == needs) {
            let began = began();
            #[cfg(any(test, feature = "ablation"))]
            if self.place.modes.of(layer.id()) == Mode::Off {
                self.facts.absorb(layer.assume(&self.inbound).await);
                continue;
            }
            let finding = layer.examine(&self.inbound, &self.facts).await;
            self.facts.absorb(finding.facts);
            #[cfg(any(test, feature = "ablation"))]
            if self.place.modes.of(layer.id()) == Mode::Shadow && !matches!(finding.verdict, Verdict::Pass) {
                self.facts.absorb(layer.assume(&self.inbound).await);
            }
            self.judge(layer.id(), finding.verdict, began.elapsed())?;
        }
        Ok(())
    }

    /// Whoever has no more to spend fills no memory of what is good once.
    async fn weigh(&mut self, layers: &[&dyn Layer]) -> Result<(), Refusal> {
        for layer in layers.iter().filter(|layer| self.place.modes.of(layer.id()) == Mode::Enforce) {
            let Some(weighed) = layer.weigh(&self.inbound, &self.facts) else { continue };
            let (began, finding) = (began(), weighed.await);
            self.judge(layer.id(), finding.verdict, began.elapsed())?;
        }
        Ok(())
    }

    /// What a verdict means here.
    fn judge(&mut self, layer: LayerId, verdict: Verdict, took: Duration) -> Result<(), Refusal> {
        let mode = self.place.modes.of(layer);
        let (said, reason, refusal) = match verdict {
            Verdict::Pass => (Said::Pass, None, None),
            Verdict::Unknown(reason) if self.class.unknown == Unknown::Pass => {
                runtime::tracing::warn!(layer = layer.name(), reason, "a layer cannot tell, and the request goes on");
                (Said::Unknown, Some(reason), None)
            }
            Verdict::Unknown(reason) => {
                (Said::Unknown, Some(reason), Some(Refusal::new(layer.name(), reason, Problem::busy(1))))
            }
            Verdict::Refuse(refusal) => (Said::Refuse, refusal.reason(), Some(refusal)),
            Verdict::Challenge(refusal) => (Said::Challenge, refusal.reason(), Some(refusal.challenge())),
        };
        self.trail.note(Decision { layer, mode, said, reason, took });
        match refusal {
            Some(refusal) if mode == Mode::Enforce => {
                Err(refusal.about(Who { peer: self.inbound.workload.clone(), ..self.facts.who() }))
            }
            _ => Ok(()),
        }
    }

    /// The layers see the answer, last one first; and what became of the request is kept.
    async fn answer(
        mut self,
        layers: &[&dyn Layer],
        response: ServiceResponse<BoxBody>,
        refused: bool,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let challenged = self.trail.decisions().iter().any(|decision| decision.said == Said::Challenge);
        let (request, response) = response.into_parts();
        let noted = Notes::taken(&request);
        for noted in &noted {
            self.trail.note(noted.decision.clone());
        }
        self.trail.close();
        let mut answer = Outgoing { response, refused, challenged };
        for layer in layers.iter().rev().filter(|layer| self.place.modes.of(layer.id()) != Mode::Off) {
            answer = layer.answered(&self.inbound, &self.facts, answer).await?;
        }
        if let Some(reader) = self.class.reader().filter(|_| answer.response.status().as_u16() >= 400) {
            answer.response.extensions_mut().insert(reader);
        }
        if let Some(id) = &self.inbound.id {
            let made = answer.response.extensions().get::<Made>().map(|made| made.0.clone());
            self.place.receipts.finish(&id.0, answer.response.status().as_u16(), made, noted);
        }
        Ok(ServiceResponse::new(request, answer.response))
    }

    /// Writes down what the layers found. A request without a name has no receipt, and probes of our health none that anybody will ask for.
    fn keep(&self, request: &HttpRequest, refused: bool) {
        // Default: the path of what is no route is a stranger's text.
        let route = request.match_pattern().unwrap_or_default();
        let Some(id) = self.inbound.id.as_ref().filter(|_| !route.starts_with("/health/")) else { return };
        // Its sender chooses how long it is.
        let method = if self.inbound.method.len() > METHOD { "_OTHER" } else { &self.inbound.method };
        let receipt = Receipt {
            request_id: id.0.clone(),
            trace_id: runtime::trace::trace_id(&runtime::tracing::Span::current()),
            at: self.inbound.now,
            method: method.to_owned(),
            route,
            policy: self.class.name,
            status: None,
            made: None,
            layers: Line::all(&self.trail, &self.facts),
        };
        self.place.receipts.keep(receipt, !refused && self.facts.access.is_some());
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a layer took is telemetry, decided nowhere")]
fn began() -> Instant {
    Instant::now()
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;

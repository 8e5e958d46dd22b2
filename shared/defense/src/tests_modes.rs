//! Each layer by itself: an attack that it stops alone, an honest twin that passes, and what becomes of the attack where only that layer is missing.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{call_service, init_service};
use actix_web::{App, Error, HttpMessage as _};
use futures_util::future::LocalBoxFuture;
use runtime::{Clock, Refusal, RequestId};

use super::*;
use crate::config::{Rate, Rates};
use crate::layers::registered::Registered;
use crate::mode::Modes;
use crate::receipts::Receipt;
use crate::stores::{MemoryCounters, OnceClass};
use crate::{
    ApiKey, Caller, ClientVersionLayer, Created, Defense, Finding, HostLayer, Keyed, LayerId, Mode, Notes, Outgoing,
    Place, RateLimitLayer, Receipts, Routes, TrustedHops, Word,
};

const ALL: [LayerId; 9] = [
    LayerId::Host,
    LayerId::ApiKey,
    LayerId::ClientVersion,
    LayerId::RateLimit,
    LayerId::Attestation,
    LayerId::MessageSignature,
    LayerId::AccessToken,
    LayerId::Waf,
    LayerId::Authorization,
];

struct Stopped;

impl Clock for Stopped {
    fn unix_millis(&self) -> i64 {
        NOW * 1000
    }
}

/// As many requests of one user are not too many.
const FEW: u32 = 5;

/// A service with all layers, and a phone.
struct Service {
    world: World,
    registered: Registered,
    defense: Defense,
    receipts: Receipts,
}

impl Service {
    /// In which these layers are in such a mode, and all others are enforced.
    fn with(modes: impl IntoIterator<Item = (LayerId, Mode)>) -> Self {
        Self::of(World::new(), modes)
    }

    fn of(world: World, modes: impl IntoIterator<Item = (LayerId, Mode)>) -> Self {
        let registered = Registered::new("modes");
        let rates = Rates { user: Rate { units: FEW, seconds: 3_600 }, ..Rates::default() };
        let hosts = ["api.example".to_owned()];
        let layers: Vec<Box<dyn Layer>> = vec![
            Box::new(HostLayer::new(hosts, TrustedHops::default())),
            Box::new(registered.layer(Keyed::Always)),
            Box::new(ClientVersionLayer::new(Arc::clone(&registered.file))),
            Box::new(RateLimitLayer::new(Arc::new(MemoryCounters::new(1_000)), &rates, &Stopped).unwrap()),
            Box::new(Shared(Arc::<AttestationLayer>::clone(&world.attestation))),
            Box::new(Shared(Arc::<MessageSignatureLayer>::clone(&world.signature))),
            Box::new(Shared(Arc::<AccessTokenLayer>::clone(&world.access))),
            Box::new(crate::WafLayer),
            Box::new(AuthorizationLayer),
        ];
        let receipts = Receipts::new("test", "none".into(), "none".into());
        let mut place = Place::new("https://api.example:7003", Arc::new(Stopped), receipts.clone());
        place.modes = Modes::new(&modes.into_iter().collect()).unwrap();
        Self { world, registered, defense: Defense::new(layers, place), receipts }
    }

    /// With one layer alone.
    fn only(layer: LayerId) -> Self {
        Self::with(ALL.into_iter().filter(|other| *other != layer).map(|other| (other, Mode::Off)))
    }

    /// Sends it. Answers the status, and what became of it.
    async fn send(&self, sent: &Sent) -> (u16, Receipt) {
        self.send_to(Routes::public().add(policy::Money, Method::POST, "/v1/transfers", "", handler), sent).await
    }

    async fn send_to(&self, routes: Routes, sent: &Sent) -> (u16, Receipt) {
        let routes = routes.behind(&self.defense).unwrap();
        let app = App::new().configure(|config| routes.configure(config)).wrap(from_fn(named));
        let app = init_service(app).await;
        let peer: SocketAddr = "203.0.113.9:40000".parse().unwrap();
        let mut request = TestRequest::post().uri("/v1/transfers").peer_addr(peer).set_payload(sent.body);
        for (name, value) in &sent.headers {
            request = request.insert_header((*name, value.as_str()));
        }
        let status = call_service(&app, request.to_request()).await.status().as_u16();
        (status, self.receipts.last().unwrap())
    }

    async fn honest_twin(&self) -> (u16, Receipt) {
        self.send(&self.honest().await).await
    }

    /// A request in which everything is right.
    async fn honest(&self) -> Sent {
        Sent::of(self, &self.world.honest().await)
    }
}

/// A layer that a test asks, too.
struct Shared<L>(Arc<L>);

impl<L: Layer> Layer for Shared<L> {
    fn id(&self) -> LayerId {
        self.0.id()
    }
    fn needs(&self) -> crate::Needs {
        self.0.needs()
    }
    fn examine<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        self.0.examine(request, facts)
    }
    fn assume<'a>(&'a self, request: &'a Inbound) -> LocalBoxFuture<'a, Facts> {
        self.0.assume(request)
    }
    fn weigh<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> Option<LocalBoxFuture<'a, Finding>> {
        self.0.weigh(request, facts)
    }
    fn claim<'a>(&'a self, request: &'a Inbound, facts: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        self.0.claim(request, facts)
    }
    fn answered<'a>(
        &'a self,
        request: &'a Inbound,
        facts: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        self.0.answered(request, facts, answer)
    }
}

async fn handler(_: Caller<api::scope::AccountsRead>) -> Created<String> {
    Created::new("0198".to_owned(), false).made(String::clone)
}

/// Asks *behavior*, as it were, and again.
async fn asking(_: Caller<api::scope::AccountsRead>, notes: Notes) -> Created<String> {
    notes.behavior(Word::Challenge("step_up"), Some("0199".to_owned()), Duration::from_micros(7), false);
    notes.behavior(Word::Pass, None, Duration::ZERO, true);
    Created::new(notes.request_id().unwrap().to_owned(), false)
}

async fn named(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    request.extensions_mut().insert(RequestId(random::token(16)));
    next.call(request).await
}

/// A request on the wire.
struct Sent {
    headers: Vec<(&'static str, String)>,
    body: &'static [u8],
}

impl Sent {
    /// The draft, signed, from the app.
    fn of(service: &Service, draft: &Draft) -> Self {
        let signed = signed(draft);
        let mut headers: Vec<_> = headers(draft);
        for name in ["content-digest", "signature-input", "signature"] {
            headers.push((name, signed.single(name).unwrap().to_owned()));
        }
        headers.push(("host", "api.example".to_owned()));
        headers.push((api::header::API_KEY, service.registered.key.text().expose().to_owned()));
        headers.push(("user-agent", "dev.redoubt.app/1.0 (android 10)".to_owned()));
        Self { headers, body: draft.body }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }
}

/// An attack that `layer` stops.
async fn attack(service: &Service, layer: LayerId) -> Sent {
    let world = &service.world;
    let honest = world.honest().await;
    match layer {
        // A proxy takes a request to another host's name here.
        LayerId::Host => Sent::of(service, &honest).with("host", "evil.example"),
        // A key that was never given to anybody.
        LayerId::ApiKey => Sent::of(service, &honest).with(api::header::API_KEY, ApiKey::generate().text().expose()),
        // A build with a known hole.
        LayerId::ClientVersion => Sent::of(service, &honest).with("user-agent", "dev.redoubt.app/1.0 (android 9)"),
        // One more than is good.
        LayerId::RateLimit => {
            for _ in 0..FEW {
                assert_eq!(service.send(&service.honest().await).await.0, 201);
            }
            service.honest().await
        }
        LayerId::Behavior => unreachable!("no class has it: a handler asks"),
        LayerId::Captcha => unreachable!("it stands where people log in, and not before these routes: see `login`"),
        // A decoy: everything of it is right, but no verifier has its key.
        LayerId::Attestation => {
            let (decoy, session_key, key_id) =
                World::attestation_token(b"a master key that no verifier has", &world.jkt());
            Sent::of(service, &Draft { attestation_token: decoy, session_key, key_id, ..copy(&honest) })
        }
        // Somebody on the way changes the amount.
        LayerId::MessageSignature => Sent { body: b"{\"amount\":\"9.00\"}", ..Sent::of(service, &honest) },
        // Tokens and session key are stolen, the key in the hardware is not.
        LayerId::AccessToken => {
            let thief = SigningKey::generate();
            let nonce = world.nonce(&honest).await;
            Sent::of(service, &Draft { proof: World::proof(&thief, &honest, Some(&nonce)), ..copy(&honest) })
        }
        // An honest device under somebody else's control.
        LayerId::Waf => {
            let body = br#"{"to":"1' OR '1'='1' --","amount":"1.00"}"#;
            Sent::of(service, &Draft { body, ..copy(&honest) })
        }
        // A token for something else.
        LayerId::Authorization => {
            let mut draft = copy(&honest);
            draft.access_token = world.access_token_for(&world.jkt(), "redoubt-mobile", "openid");
            let nonce = world.nonce(&draft).await;
            draft.proof = World::proof(&world.device, &draft, Some(&nonce));
            Sent::of(service, &draft)
        }
    }
}

/// Which layer stops the attack on `layer` where that one is missing. Where none does, the layer stands alone at this door, and what is behind
/// it (the ledger's own rules, the database) has to hold.
const fn second(layer: LayerId) -> Option<LayerId> {
    match layer {
        // The forger's signature is not under the session key that belongs to the token's id.
        LayerId::Attestation => Some(LayerId::MessageSignature),
        _ => None,
    }
}

fn stopped_by(receipt: &Receipt) -> Option<&'static str> {
    receipt.layers.iter().find(|line| line.stopped_it()).map(|line| line.layer)
}

#[actix_web::test]
async fn each_layer_stops_its_attack_alone_and_the_honest_twin_passes() {
    for layer in ALL {
        let service = Service::only(layer);
        let sent = attack(&service, layer).await;
        let (status, receipt) = service.send(&sent).await;
        assert!(status >= 400, "{layer:?} alone: {status}");
        assert_eq!(stopped_by(&receipt), Some(layer.name()), "{receipt:?}");
        let service = Service::only(layer);
        let (status, receipt) = service.send(&service.honest().await).await;
        assert_eq!((status, stopped_by(&receipt)), (201, None), "{layer:?} alone: {receipt:?}");
    }
}

#[actix_web::test]
async fn where_one_layer_is_missing_its_attack_meets_the_second_or_nobody() {
    for layer in ALL {
        let service = Service::with([(layer, Mode::Off)]);
        let sent = attack(&service, layer).await;
        let (status, receipt) = service.send(&sent).await;
        assert_eq!(stopped_by(&receipt), second(layer).map(LayerId::name), "{layer:?} missing: {receipt:?}");
        assert_eq!(status == 201, second(layer).is_none());
        let (status, _) = Service::with([(layer, Mode::Off)]).honest_twin().await;
        assert_eq!(status, 201, "{layer:?} missing");
        // And with all of them it is stopped, whichever comes first.
        let service = Service::with([]);
        let sent = attack(&service, layer).await;
        assert!(stopped_by(&service.send(&sent).await.1).is_some(), "{layer:?}");
    }
}

#[actix_web::test]
async fn a_layer_in_shadow_writes_down_what_it_would_have_refused_and_uses_nothing_up() {
    for layer in ALL.into_iter().filter(|layer| *layer != LayerId::RateLimit) {
        let service = Service::with(ALL.map(|other| (other, Mode::Shadow)));
        let sent = attack(&service, layer).await;
        for _ in 0..2 {
            let (status, receipt) = service.send(&sent).await;
            assert_eq!((status, stopped_by(&receipt)), (201, None), "{layer:?}: {receipt:?}");
            assert!(
                receipt.layers.iter().any(|line| line.layer == layer.name() && line.would_stop_it()),
                "{receipt:?}"
            );
        }
    }
}

#[actix_web::test]
async fn a_receipt_says_what_each_layer_saw_and_no_secret() {
    let service = Service::with([]);
    let sent = service.honest().await;
    let (_, receipt) = service.send(&sent).await;
    assert_eq!(receipt.layers.iter().map(|line| line.layer).collect::<Vec<_>>(), ALL.map(LayerId::name));
    let text = serde_json::to_string(&receipt).unwrap();
    for (name, value) in &sent.headers {
        assert!(["host", "content-type", "user-agent"].contains(name) || !text.contains(value), "{name}: {text}");
    }
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&told["made"], &told["policy"], &told["status"]), (&"0198".into(), &"money".into(), &201.into()));
    assert_eq!(told["layers"][0]["saw"]["address"], "203.0.113.9");
    assert_eq!(told["layers"][6]["saw"]["subject"], "user-1");
    let (_, receipt) = service.send(&sent).await;
    let told = serde_json::to_value(&receipt).unwrap();
    assert_eq!(told["layers"][6]["reason"], "dpop_replayed");
    assert_eq!((&told["made"], &told["status"]), (&serde_json::Value::Null, &401.into()));
}

#[actix_web::test]
async fn what_a_handler_notes_of_behavior_is_in_shadow_in_the_receipt_and_refuses_nothing() {
    let service = Service::with([]);
    let routes = Routes::public().add(policy::Money, Method::POST, "/v1/transfers", "", asking);
    let (status, receipt) = service.send_to(routes, &service.honest().await).await;
    let told = serde_json::to_value(&receipt).unwrap();
    let expected = serde_json::json!({
        "layer": "behavior", "mode": "shadow", "said": "challenge", "reason": "step_up", "micros": 7, "saw": { "decision": "0199" },
    });
    assert_eq!((status, &told["layers"][ALL.len()]), (201, &expected));
    assert_eq!(told["layers"].as_array().unwrap().len(), ALL.len() + 1, "the first word counts");
}

#[test]
fn nobody_sets_the_mode_of_behavior() {
    for mode in [Mode::Enforce, Mode::Shadow, Mode::Off] {
        let refused = Modes::new(&[(LayerId::Behavior, mode)].into()).err().unwrap().to_string();
        assert!(refused.contains("`behavior` has none"), "{refused}");
    }
}

/// Sixteen devices that go on when they are over their rates would otherwise fill a memory of which each may have a sixteenth.
#[actix_web::test]
async fn a_caller_who_is_over_the_rate_fills_no_memory_and_a_replay_costs_nobodys_rate() {
    let (mut world, nonces) = (World::new(), memory());
    world.signature = Arc::new(MessageSignatureLayer::new(Arc::<MemoryOnce>::clone(&nonces), NOW - 1000));
    let service = Service::of(world, []);
    let used = || nonces.len(OnceClass::SignatureNonce);
    let copied = service.honest().await;
    assert_eq!(service.send(&copied).await.0, 201);
    for _ in 0..50 {
        assert_eq!(service.send(&copied).await.0, 401);
    }
    for _ in 1..FEW {
        assert_eq!(service.send(&service.honest().await).await.0, 201, "the copies were not counted");
    }
    let last = service.honest().await;
    for _ in 0..50 {
        assert_eq!(service.send(&service.honest().await).await.0, 429);
        let (status, receipt) = service.send(&last).await;
        assert_eq!((status, stopped_by(&receipt)), (429, Some("rate_limit")), "not a replay: it was not used up");
    }
    assert_eq!(used(), usize::try_from(FEW).unwrap());
}

#[path = "tests_modes_login.rs"]
mod login;

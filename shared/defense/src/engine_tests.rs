//! The engine with layers that do as they are told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use futures_util::future::{LocalBoxFuture, ready};
use futures_util::stream;
use runtime::contract::NoContent;

use super::*;
use crate::policy::Charged;
use crate::{Finding, Public, Routes, policy};

const NOW: i64 = 1_800_000_000;

struct At(AtomicI64);

impl Clock for At {
    fn unix_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed) * 1000
    }
}

/// What was asked of whom, and when.
type Log = Arc<Mutex<Vec<(LayerId, &'static str, i64)>>>;

/// Writes down what it is asked, and says what it is told to.
struct Puppet {
    id: LayerId,
    needs: Needs,
    log: Log,
    looks: fn() -> Verdict,
    claims: fn() -> Verdict,
}

impl Puppet {
    fn note(&self, step: &'static str, request: &Inbound) {
        self.log.lock().unwrap().push((self.id, step, request.now));
    }
}

impl Layer for Puppet {
    fn id(&self) -> LayerId {
        self.id
    }

    fn needs(&self) -> Needs {
        self.needs
    }

    fn examine<'a>(&'a self, request: &'a Inbound, _: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        self.note("examine", request);
        Box::pin(ready(Finding { verdict: (self.looks)(), facts: Facts::default() }))
    }

    fn claim<'a>(&'a self, request: &'a Inbound, _: &'a Facts) -> LocalBoxFuture<'a, Finding> {
        self.note("claim", request);
        Box::pin(ready((self.claims)().into()))
    }

    fn answered<'a>(
        &'a self,
        request: &'a Inbound,
        _: &'a Facts,
        answer: Outgoing,
    ) -> LocalBoxFuture<'a, Result<Outgoing, Refusal>> {
        self.note(if answer.refused { "refused" } else { "answered" }, request);
        Box::pin(ready(Ok(answer)))
    }
}

const ALL: [(LayerId, Needs); 3] = [
    (LayerId::Attestation, Needs::Head),
    (LayerId::MessageSignature, Needs::Body),
    (LayerId::Authorization, Needs::Principal),
];

/// A class with the three layers.
struct Three;

impl policy::Policy for Three {
    const CLASS: Class = Class {
        name: "three",
        layers: &[LayerId::Attestation, LayerId::MessageSignature, LayerId::Authorization],
        unknown: Unknown::Refuse,
        cost: 1,
        charged: Charged::Nobody,
    };
}

/// The same, which goes on when one cannot tell.
struct Lenient;

impl policy::Policy for Lenient {
    const CLASS: Class = Class { unknown: Unknown::Pass, ..Three::CLASS };
}

/// A class that knows only the first.
struct One;

impl policy::Policy for One {
    const CLASS: Class = Class { name: "one", layers: &[LayerId::Attestation], ..Three::CLASS };
}

fn place(clock: Arc<At>) -> Place {
    Place::new("https://api.example", clock, Receipts::new("test", "none".into(), "none".into()))
}

fn refuse() -> Verdict {
    LayerId::Attestation.refuse("told_to")
}

fn unknown() -> Verdict {
    Verdict::Unknown("nobody_knows")
}

fn pass() -> Verdict {
    Verdict::Pass
}

fn puppets(log: &Log, change: impl Fn(&mut Puppet)) -> Vec<Box<dyn Layer>> {
    // In no order: the engine knows it.
    let puppet = |&(id, needs)| {
        let mut puppet = Puppet { id, needs, log: Arc::clone(log), looks: pass, claims: pass };
        change(&mut puppet);
        Box::new(puppet) as Box<dyn Layer>
    };
    // What no route answers has layers, too.
    let strays = [(LayerId::RateLimit, Needs::Head), (LayerId::Host, Needs::Head)];
    ALL.iter().rev().chain(&strays).map(puppet).collect()
}

async fn handler(_: Public, log: web::Data<Log>) -> NoContent<204> {
    log.lock().unwrap().push((LayerId::Authorization, "handler", 0));
    NoContent
}

/// Sends a request whose body takes nine seconds. Answers the status, and who was asked what.
async fn run<P: policy::Policy>(policy: P, change: impl Fn(&mut Puppet)) -> (u16, Vec<(LayerId, &'static str, i64)>) {
    let (clock, log) = (Arc::new(At(AtomicI64::new(NOW))), Log::default());
    let defense = Defense::new(puppets(&log, change), place(Arc::<At>::clone(&clock)));
    let routes = Routes::public().add(policy, Method::POST, "/", "A route.", handler).behind(&defense).unwrap();
    let slow = move |mut request: ServiceRequest, next: Next<BoxBody>| {
        let clock = Arc::clone(&clock);
        let body = stream::once(async move {
            clock.0.fetch_add(9, Ordering::Relaxed);
            Ok(Bytes::from_static(b"{}"))
        });
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
        async move { next.call(request).await }
    };
    let data = web::Data::new(Arc::clone(&log));
    let app = App::new().app_data(data).configure(|config| routes.configure(config));
    let app = init_service(app.wrap(actix_web::middleware::from_fn(slow))).await;
    let answer = call_service(&app, TestRequest::post().uri("/").to_request()).await;
    let log = log.lock().unwrap().clone();
    (answer.status().as_u16(), log)
}

#[actix_web::test]
async fn all_look_then_all_use_up_then_the_handler_runs_and_the_answer_goes_back() {
    let (status, log) = run(Three, |_| ()).await;
    let [first, second, third] = ALL.map(|(id, _)| id);
    let later = NOW + 9;
    assert_eq!(status, 204);
    // Whatever needs the body judges by the time at which it had come.
    let expected = [
        (first, "examine", NOW),
        (second, "examine", later),
        (third, "examine", later),
        (third, "claim", later),
        (second, "claim", later),
        (first, "claim", later),
        (LayerId::Authorization, "handler", 0),
        (third, "answered", later),
        (second, "answered", later),
        (first, "answered", later),
    ];
    assert_eq!(log, expected);
}

#[actix_web::test]
async fn a_refusal_of_the_head_ends_it_before_the_body_is_read_and_uses_nothing_up() {
    let (status, log) = run(Three, |puppet| {
        if puppet.needs == Needs::Head {
            puppet.looks = refuse;
        }
    })
    .await;
    assert_eq!(status, 401);
    let steps: Vec<_> = log.iter().map(|(layer, step, now)| (*layer, *step, *now)).collect();
    let [first, second, third] = ALL.map(|(id, _)| id);
    assert_eq!(
        steps,
        [(first, "examine", NOW), (third, "refused", NOW), (second, "refused", NOW), (first, "refused", NOW)]
    );
}

#[actix_web::test]
async fn whoever_comes_second_to_a_claim_does_not_reach_the_handler() {
    let (status, log) = run(Three, |puppet| {
        if puppet.needs == Needs::Body {
            puppet.claims = refuse;
        }
    })
    .await;
    assert_eq!(status, 401);
    let claims: Vec<_> = log.iter().filter(|(_, step, _)| *step == "claim").map(|(layer, ..)| *layer).collect();
    assert_eq!(claims, [LayerId::Authorization, LayerId::MessageSignature]);
    assert!(log.iter().all(|(_, step, _)| *step != "handler"));
}

#[actix_web::test]
async fn what_a_layer_that_cannot_tell_means_is_the_policys_to_say() {
    let change = |puppet: &mut Puppet| {
        if puppet.needs == Needs::Principal {
            (puppet.looks, puppet.claims) = (unknown, unknown);
        }
    };
    assert_eq!(run(Three, change).await.0, 503);
    let (status, log) = run(Lenient, change).await;
    assert_eq!(status, 204);
    assert!(log.iter().any(|(_, step, _)| *step == "handler"));
}

#[actix_web::test]
async fn a_route_has_the_layers_of_its_policy_and_no_other() {
    let (status, log) = run(One, |puppet| {
        if puppet.id != LayerId::Attestation {
            puppet.looks = refuse;
        }
    })
    .await;
    assert_eq!(status, 204);
    assert!(log.iter().all(|(layer, step, _)| *layer == LayerId::Attestation || *step == "handler"));
    // Nothing needs the body, so it is not read here.
    assert!(log.iter().all(|(_, _, now)| *now <= NOW));
}

#[test]
fn a_route_whose_layer_was_not_built_is_an_error() {
    let log = Log::default();
    let layers = puppets(&log, |_| ()).into_iter().filter(|layer| layer.id() != LayerId::MessageSignature).collect();
    let defense = Defense::new(layers, place(Arc::new(At(AtomicI64::new(NOW)))));
    let routes = Routes::public().add(Three, Method::POST, "/x", "A route.", handler);
    let error = routes.behind(&defense).err().unwrap().to_string();
    assert_eq!(error, "POST /x is to stand behind the layer `message_signature`, which this service has not built");
}

//! What has been paid is told to the behavior analytics: a stand-in for it that listens, is away, or refuses.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use ledger::config::Behavior;
use serde_json::{Value, json};
use testkit::scene;
use testkit::server::{self, Server};

use crate::world::{IBAN, World, logged, transfer, until};

/// How it answers.
#[derive(Clone, Copy)]
enum Says {
    Taken,
    Refused,
    /// By a clock that is behind.
    Ahead,
    /// With this status, of whatever it is told.
    Nothing(u16),
}

struct Analytics {
    server: Server,
    /// What it has taken, in this order.
    told: Arc<Mutex<Vec<Value>>>,
    says: Arc<Mutex<Says>>,
}

impl Analytics {
    async fn start(world: &World) -> Self {
        let (told, says) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(Mutex::new(Says::Taken)));
        let (hears, answers) = (Arc::clone(&told), Arc::clone(&says));
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let (hears, answers) = (Arc::clone(&hears), Arc::clone(&answers));
            let answer = move |body: web::Json<Value>| {
                let (outcome, code) = match *answers.lock().unwrap() {
                    Says::Taken => ("taken", None),
                    Says::Refused => ("refused", Some("request.invalid")),
                    Says::Ahead => ("refused", Some("behavior.from_future")),
                    Says::Nothing(status) => {
                        let status = StatusCode::from_u16(status).unwrap();
                        let problem =
                            json!({ "type": "", "title": "", "status": status.as_u16(), "code": "server.busy" });
                        return std::future::ready(HttpResponse::build(status).json(problem));
                    }
                };
                let events = body["events"].as_array().unwrap().clone();
                let result = |event: &Value| json!({ "id": event["id"], "outcome": outcome, "code": code });
                let results: Vec<Value> = events.iter().map(result).collect();
                hears.lock().unwrap().extend(events);
                std::future::ready(HttpResponse::Ok().json(json!({ "results": results })))
            };
            config.route("/internal/v1/events", web::post().to(answer));
        });
        let (certificate, ca) = (world.pki.internal("behavior"), world.pki.internal_ca());
        let server = Server::start(scene::FREE, &certificate, Some(&ca), routes).await.unwrap();
        Self { server, told, says }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    fn ids(&self) -> Vec<String> {
        self.told().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// A ledger that tells, and whom it tells.
async fn telling() -> (World, Analytics) {
    let mut world = World::start().await;
    let analytics = Analytics::start(&world).await;
    let url = analytics.server.url();
    world
        .start_again_where(|config| {
            config.behavior = Some(Behavior { url, poll_ms: 20, deadline_ms: 20, acts: true, hold_seconds: 2 });
        })
        .await;
    (world, analytics)
}

/// Pays, and answers the transfer's id.
async fn pay(world: &World, phone: &testkit::authority::SyntheticPhone, body: &Value) -> String {
    let reply = world.post(phone, "/v1/transfers", body).await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    reply.body["id"].as_str().unwrap().to_owned()
}

async fn all_told(world: &World) -> bool {
    world.count("outbox_readers r, head h where r.position = h.announced").await == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn every_payment_to_somebody_else_is_told_in_order_by_its_id_and_nothing_else_is() {
    let (world, analytics) = telling().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, savings) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&alice, "EUR").await);
    let (dollars, his) = (world.open(&alice, "USD").await, world.open(&bob, "EUR").await);
    let first = pay(&world, &alice, &transfer(&hers, &his, "10.00")).await;
    pay(&world, &alice, &transfer(&hers, &savings, "5.00")).await;
    let quote =
        json!({ "from_account": hers, "to_account": dollars, "amount": { "amount": "5.00", "currency": "EUR" } });
    let exchanged = world.post(&alice, "/v1/exchanges", &quote).await;
    assert_eq!(exchanged.status, 201, "{:?}", exchanged.body);
    let paid_out = world.order(&alice, &hers, "7.50").await;
    let last = pay(&world, &bob, &transfer(&his, &hers, "0.01")).await;
    until(async || all_told(&world).await).await;

    assert_eq!(analytics.ids(), [first, paid_out, last]);
    let told = analytics.told();
    let (user, payee) = (|n: usize| told[n]["user"].clone(), |n: usize| told[n]["payee"].clone());
    assert_eq!((user(0), payee(0)), (payee(2), user(2)), "the same two, the other way round");
    assert_eq!(user(1), user(0));
    assert!(payee(1).as_str().unwrap().starts_with("iban:"), "{told:?}");
    let amounts: Vec<&Value> = told.iter().flat_map(|event| [&event["amount"], &event["currency"]]).collect();
    assert_eq!(amounts, ["10.00", "EUR", "7.50", "EUR", "0.01", "EUR"]);
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains(IBAN) && !text.contains("Dinner") && !text.contains("Landlord"), "{text}");
    for event in &told {
        let posted = format!(
            "transfers where id = '{}' and floor(extract(epoch from posted_at) * 1000) = {}",
            event["id"].as_str().unwrap(),
            event["at_unix_millis"]
        );
        assert_eq!(world.count(&posted).await, 1, "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_moves_while_nobody_listens_and_is_told_afterwards() {
    let (world, analytics) = telling().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    until(async || all_told(&world).await).await;
    let mut paid = Vec::new();
    for status in [503, 500, 403, 404] {
        analytics.say(Says::Nothing(status));
        paid.push(pay(&world, &alice, &transfer(&hers, &his, "1.00")).await);
        until(async || world.count("outbox_readers where attempts > 0 and next_attempt_at > now()").await == 1).await;
        assert!(!all_told(&world).await && analytics.told().is_empty());
        // Or the next attempt comes in a minute.
        world.sql("update outbox_readers set attempts = 0, next_attempt_at = now()").await;
    }
    analytics.say(Says::Taken);
    world.sql("update outbox_readers set next_attempt_at = now()").await;
    until(async || all_told(&world).await).await;
    assert_eq!(analytics.ids(), paid);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_by_itself_is_raised_and_holds_up_nothing() {
    let log = logged();
    let (world, analytics) = telling().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    analytics.say(Says::Refused);
    let refused = pay(&world, &alice, &transfer(&hers, &his, "1.00")).await;
    until(async || all_told(&world).await).await;
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(log.lines().any(|line| line.contains("payment_not_learned") && line.contains(&refused)));
    analytics.say(Says::Taken);
    let taken = pay(&world, &alice, &transfer(&hers, &his, "1.00")).await;
    until(async || all_told(&world).await).await;
    assert_eq!(analytics.ids().last(), Some(&taken));
}

/// Clocks differ, and are put right.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_ahead_of_the_readers_clock_is_told_again() {
    let (world, analytics) = telling().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    analytics.say(Says::Ahead);
    let paid = pay(&world, &alice, &transfer(&hers, &his, "1.00")).await;
    until(async || analytics.ids() == [paid.clone()]).await;
    assert!(!all_told(&world).await, "it was passed over");
    analytics.say(Says::Taken);
    until(async || all_told(&world).await).await;
    assert_eq!(analytics.ids().last(), Some(&paid));
}

/// More than a batch, by two processes that tell at the same time: nothing is left out, and all in one order.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_tell_everything_and_neither_puts_the_other_back() {
    let (world, analytics) = telling().await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    analytics.say(Says::Nothing(503));
    let mut paid = Vec::new();
    for _ in 0..120 {
        paid.push(pay(&world, &alice, &transfer(&hers, &his, "0.01")).await);
    }
    let second = world.start_beside().await;
    analytics.say(Says::Taken);
    world.sql("update outbox_readers set attempts = 0, next_attempt_at = now()").await;
    until(async || {
        // A claim of the other one is over, as if it had died.
        world.sql("update outbox_readers set next_attempt_at = now() where next_attempt_at > now()").await;
        all_told(&world).await
    })
    .await;
    let mut told = analytics.ids();
    let mut seen = std::collections::HashSet::new();
    told.retain(|id| seen.insert(id.clone()));
    assert_eq!(told, paid);
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_goes_forward_only_and_not_beyond_what_is_announced() {
    let (world, _analytics) = telling().await;
    let alice = world.phone("alice").await;
    world.open_with(&alice, "100.00", "EUR").await;
    until(async || all_told(&world).await).await;
    for wrong in ["position = position - 1", "position = position + 1", "id = 'other'"] {
        let refused = world.sql_error(&format!("update outbox_readers set {wrong}")).await;
        assert!(refused.contains("only moves forward"), "{wrong}: {refused}");
    }
    for wrong in
        ["delete from outbox_readers", "insert into outbox_readers (id) values ('other')", "truncate outbox_readers"]
    {
        assert!(world.try_sql(wrong).await.is_err(), "{wrong}");
    }
}

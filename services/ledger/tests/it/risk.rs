//! The behavior analytics are asked about a payment before its money moves: a stand-in for them that judges, hesitates, refuses or is away. What they are
//! wary of takes its payer's approval.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use api::behavior::Action;
use futures_util::future::join_all;
use ledger::config::Behavior;
use ledger::ids::Subject;
use ledger::risk::{Answer, Asker, Payee, Payment};
use money::{Currency, Money};
use runtime::Shutdown;
use serde_json::{Value, json};
use testkit::authority::Reply;
use testkit::scene;
use testkit::server::{self, Server};
use tokio::sync::Semaphore;

use crate::approvals::approved;
use crate::payouts::payout;
use crate::world::{IBAN, World, transfer, until};

/// A payment of so many cents is refused to be judged.
const REFUSED: i64 = 113;

#[derive(Clone, Copy)]
pub(crate) enum Says {
    Scores,
    /// To everybody.
    Only(&'static str),
    /// One result too few.
    Short,
    Status(u16),
}

pub(crate) struct Analytics {
    server: Server,
    heard: Arc<Heard>,
}

struct Heard {
    /// The questions of each call.
    calls: Mutex<Vec<Vec<Value>>>,
    told: Mutex<Vec<Value>>,
    says: Mutex<Says>,
    /// A call is answered when it gets through here.
    gate: Semaphore,
}

/// The decision on a payment says how much was paid, so that nobody has a neighbor's.
fn decision(cents: i64) -> String {
    format!("01890a5d-ac96-774b-bcce-{cents:012}")
}

fn result(question: &Value) -> Value {
    let cents = Money::parse(question["amount"].as_str().unwrap(), Currency::EUR).unwrap().minor();
    if cents == REFUSED {
        return json!({ "outcome": "refused", "code": "request.invalid", "field": "amount" });
    }
    let action = if cents % 2 == 0 { "allow" } else { "step_up" };
    json!({ "outcome": "scored", "decision_id": decision(cents), "score": 0.5, "action": action, "reasons": [],
            "model": "m", "rules": "r" })
}

impl Heard {
    async fn judge(&self, body: &Value) -> HttpResponse {
        let questions = body["requests"].as_array().unwrap().clone();
        let mut results: Vec<Value> = questions.iter().map(result).collect();
        self.calls.lock().unwrap().push(questions);
        drop(self.gate.acquire().await);
        let says = *self.says.lock().unwrap();
        match says {
            Says::Scores => (),
            Says::Only(action) => results.iter_mut().for_each(|result| result["action"] = json!(action)),
            Says::Short => drop(results.pop()),
            Says::Status(status) => return HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish(),
        }
        HttpResponse::Ok().json(json!({ "results": results }))
    }

    fn learn(&self, body: &Value) -> HttpResponse {
        let events = body["events"].as_array().unwrap();
        let result = |event: &Value| json!({ "id": event["id"], "outcome": "taken" });
        let results: Vec<Value> = events.iter().map(result).collect();
        self.told.lock().unwrap().extend(events.iter().cloned());
        HttpResponse::Ok().json(json!({ "results": results }))
    }
}

impl Analytics {
    async fn start(world: &World) -> Self {
        let (calls, told, says, gate) =
            (Mutex::default(), Mutex::default(), Mutex::new(Says::Scores), Semaphore::new(1_000));
        let heard = Arc::new(Heard { calls, told, says, gate });
        let listener = Arc::clone(&heard);
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let (judges, learns) = (Arc::clone(&listener), Arc::clone(&listener));
            let judge = move |body: web::Json<Value>| {
                let judges = Arc::clone(&judges);
                async move { judges.judge(&body).await }
            };
            let learn = move |body: web::Json<Value>| std::future::ready(learns.learn(&body));
            config.route("/internal/v1/scores", web::post().to(judge));
            config.route("/internal/v1/events", web::post().to(learn));
        });
        let (certificate, ca) = (world.pki.internal("behavior"), world.pki.internal_ca());
        let server = Server::start(scene::FREE, &certificate, Some(&ca), routes).await.unwrap();
        Self { server, heard }
    }

    pub(crate) fn say(&self, says: Says) {
        *self.heard.says.lock().unwrap() = says;
    }

    fn calls(&self) -> usize {
        self.heard.calls.lock().unwrap().len()
    }

    pub(crate) fn questions(&self) -> Vec<Value> {
        self.heard.calls.lock().unwrap().concat()
    }

    /// From now on no call is answered.
    async fn hesitate(&self) {
        self.heard.gate.acquire_many(1_000).await.unwrap().forget();
    }

    fn go_on(&self) {
        self.heard.gate.add_permits(1_000);
    }
}

/// A ledger whose payments wait so long for a word, and whom it asks.
pub(crate) async fn asking(deadline_ms: u32) -> (World, Analytics) {
    asking_where(deadline_ms, true).await
}

/// One that holds payouts for so many seconds.
pub(crate) async fn holding(hold_seconds: u32) -> (World, Analytics) {
    asked_of(World::start().await, |url| Behavior { url, poll_ms: 20, deadline_ms: LONG, acts: true, hold_seconds })
        .await
}

/// One whose word may not count.
async fn asking_where(deadline_ms: u32, acts: bool) -> (World, Analytics) {
    asked_of(World::start().await, |url| Behavior { url, poll_ms: 20, deadline_ms, acts, hold_seconds: 2 }).await
}

/// The same, of a ledger that is there.
pub(crate) async fn asked_of(mut world: World, behavior: impl FnOnce(String) -> Behavior) -> (World, Analytics) {
    let analytics = Analytics::start(&world).await;
    let behavior = behavior(analytics.server.url());
    world.start_again_where(|config| config.behavior = Some(behavior)).await;
    (world, analytics)
}

/// Longer than anything takes here.
const LONG: u32 = 10_000;

/// What is noted of *behavior* for the request that was answered so.
async fn noted(world: &World, reply: &Reply) -> Value {
    assert_eq!(reply.status, 201, "the money moves: {:?}", reply.body);
    line_of(world, reply).await
}

/// The same, whatever the answer was.
pub(crate) async fn line_of(world: &World, reply: &Reply) -> Value {
    let receipt = world.receipt(reply).await;
    let layers = receipt["layers"].as_array().unwrap();
    layers.iter().find(|line| line["layer"] == "behavior").cloned().unwrap_or_default()
}

pub(crate) fn words(line: &Value) -> [&str; 3] {
    ["mode", "said", "reason"].map(|name| line[name].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_asked_about_before_it_is_made_and_told_with_its_decision_and_under_the_same_names() {
    let (world, analytics) = asking_where(LONG, false).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, savings) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&alice, "EUR").await);
    let his = world.open(&bob, "EUR").await;
    for _ in 0..2 {
        let own = world.post(&alice, "/v1/transfers", &transfer(&hers, &savings, "5.00")).await;
        assert_eq!(noted(&world, &own).await, Value::Null);
    }
    assert_eq!(analytics.calls(), 0, "moving money among one's own accounts is no payment");

    let asked = world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "10.01")).await;
    let line = noted(&world, &asked).await;
    assert_eq!((words(&line), &line["saw"]["decision"]), (["shadow", "challenge", "step_up"], &json!(decision(1001))));
    let paid_out = world.order(&alice, &hers, "7.50").await;
    until(async || analytics.heard.told.lock().unwrap().len() == 2).await;

    let (questions, told) = (analytics.questions(), analytics.heard.told.lock().unwrap().clone());
    assert_eq!((&told[0]["id"], &told[1]["id"]), (&asked.body["id"], &json!(paid_out)));
    for (n, cents) in [1001, 750].into_iter().enumerate() {
        for name in ["user", "payee", "amount", "currency"] {
            assert_eq!(questions[n][name], told[n][name], "{name}");
        }
        assert_eq!(questions[n]["device"], alice.thumbprint().to_string(), "whose key the tokens are bound to");
        assert_eq!(told[n]["decision_id"], decision(cents));
        let transfer = told[n]["id"].as_str().unwrap();
        let written = format!("risk_words where transfer_id = '{transfer}' and decision_id = '{}'", decision(cents));
        assert_eq!(world.count(&written).await, 1);
    }
    assert_eq!(questions[0]["request_id"], asked.headers["request-id"].to_str().unwrap());
    assert_eq!((questions.len(), world.count("risk_words").await), (2, 2));
    let text = serde_json::to_string(&questions).unwrap();
    for hidden in [IBAN, "Dinner", "Landlord", "Carol", &hers, &his] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_moves_nothing_and_leaves_the_word_of_the_first() {
    let (world, analytics) = asking(LONG).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    for _ in 0..2 {
        let reply = world.post_with_key(&alice, "/v1/transfers", &transfer(&hers, &his, "1.00"), "once").await;
        assert_eq!(words(&noted(&world, &reply).await), ["enforce", "pass", ""]);
    }
    assert_eq!((analytics.questions().len(), world.count("risk_words").await), (2, 1));
}

/// Any amount is below the low value here, so nobody is asked but for the word.
#[tokio::test(flavor = "multi_thread")]
async fn what_they_are_wary_of_takes_its_payers_approval_however_small_it_is() {
    let (world, analytics) = asking(LONG).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    for (n, action) in ["step_up", "delay"].into_iter().enumerate() {
        analytics.say(Says::Only(action));
        for (path, order) in [("/v1/transfers", transfer(&hers, &his, "1.00")), ("/v1/payouts", payout(&hers, "2.00"))]
        {
            let first = world.post_with_key(&alice, path, &order, action).await;
            assert_eq!(words(&line_of(&world, &first).await), ["enforce", "challenge", action], "{path}");
            alice.approve(&[approved(&world, &first, alice.subject()).await]);
            let paid = world.post_with_key(&alice, path, &order, action).await;
            assert_eq!(words(&noted(&world, &paid).await), ["enforce", "challenge", action], "{path}");
            alice.approve(&[]);
        }
        let made = i64::try_from(2 * (n + 1)).unwrap();
        assert_eq!((world.count("used_approvals").await, world.count("risk_words").await), (made, made));
        assert_eq!(world.count(&format!("risk_words where action = '{action}'")).await, 2, "beside what was paid");
    }
    assert_eq!(
        (world.balance(&alice, &hers).await.as_str(), world.balance(&bob, &his).await.as_str()),
        ("94.00", "2.00")
    );
    // Among her own accounts she pays nobody.
    let own = world.post(&alice, "/v1/transfers", &transfer(&hers, &world.open(&alice, "EUR").await, "1.00")).await;
    assert_eq!(own.status, 201);
    // The benign twin.
    analytics.say(Says::Only("allow"));
    assert_eq!(world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "1.00")).await.status, 201);
    assert_eq!(world.invariants().await["hold"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_before_they_became_wary_stays_paid() {
    let (world, analytics) = asking(LONG).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let order = transfer(&hers, &his, "1.00");
    let first = world.post_with_key(&alice, "/v1/transfers", &order, "once").await;
    analytics.say(Says::Only("step_up"));
    let again = world.post_with_key(&alice, "/v1/transfers", &order, "once").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(world.post_with_key(&alice, "/v1/transfers", &order, "anew").await.status, 401);
    // And what cannot be paid is not asked about.
    let much = world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "500.00")).await;
    assert_eq!((much.status, much.code()), (422, "ledger.insufficient_funds"));
    assert_eq!(world.balance(&bob, &his).await, "1.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_unknown_and_the_money_has_moved() {
    let (world, analytics) = asking(20).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    analytics.hesitate().await;
    let reply = world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "1.00")).await;
    assert_eq!(words(&noted(&world, &reply).await), ["enforce", "unknown", "late"]);
    assert_eq!(world.balance(&bob, &his).await, "1.00");
    analytics.go_on();
    until(async || analytics.heard.told.lock().unwrap().len() == 1).await;
    assert_eq!(analytics.heard.told.lock().unwrap()[0].get("decision_id"), None);
    assert_eq!(world.count("risk_words").await, 0);
}

/// Whoever waited would do so for twenty seconds.
#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_answers_money_moves_and_soon_nobody_asks_until_they_are_back() {
    let (world, analytics) = asking(LONG).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let pay = async || {
        let reply = world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "0.02")).await;
        noted(&world, &reply).await
    };
    analytics.say(Says::Status(503));
    for _ in 0..5 {
        assert_eq!(words(&pay().await), ["enforce", "unknown", "call_failed"]);
    }
    analytics.hesitate().await;
    for _ in 5..50 {
        assert_eq!(words(&pay().await), ["enforce", "unknown", "behavior_away"]);
    }
    assert_eq!(world.balance(&bob, &his).await, "1.00");
    analytics.say(Says::Scores);
    analytics.go_on();
    until(async || words(&pay().await)[1] == "pass").await;
    assert_eq!(
        words(&pay().await),
        ["enforce", "pass", ""],
        "the same decision once more: what they say holds up no money"
    );
    assert_eq!(world.count("risk_words").await, 2);
}

/// Asks about payments of so many cents, all at once. The first call is answered when all of them have asked.
async fn ask_at_once(world: &World, analytics: &Analytics, amounts: &[i64]) -> Vec<Answer> {
    let client = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("ledger"))).unwrap();
    let settings =
        Behavior { url: analytics.server.url(), poll_ms: 20, deadline_ms: LONG, acts: true, hold_seconds: 2 };
    let (asker, work) = Asker::new(client, &settings, world.superuser.clone()).unwrap();
    let (_trigger, shutdown) = Shutdown::channel();
    let working = tokio::spawn(work.run(shutdown));
    let payment = |cents: &i64| Payment {
        request: None,
        at_unix_millis: 0,
        user: Subject::of("alice"),
        device: "phone".into(),
        place: None,
        payee: Payee::Named("grocer".into()),
        amount: Money::new(*cents, Currency::EUR),
    };
    analytics.hesitate().await;
    let asks = join_all(amounts.iter().map(|cents| asker.ask(payment(cents))));
    let release = async {
        until(async || analytics.calls() > 0).await;
        analytics.go_on();
    };
    let (answers, ()) = tokio::join!(asks, release);
    working.abort();
    answers
}

fn is_about(answer: &Answer, cents: i64) -> bool {
    matches!(answer, Answer::Judged(judged) if judged.decision.to_string() == decision(cents)
        && (judged.action == Action::Allow) == (cents % 2 == 0))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_payments_share_a_few_calls_and_each_has_its_own_answer_or_its_own_refusal() {
    let world = World::start().await;
    let analytics = Analytics::start(&world).await;
    let amounts: Vec<i64> = (1..=300).collect();
    let answers = ask_at_once(&world, &analytics, &amounts).await;
    for (cents, answer) in amounts.iter().zip(&answers) {
        match *cents {
            REFUSED => assert_eq!(*answer, Answer::Unknown("question_refused")),
            cents => assert!(is_about(answer, cents), "{cents}: {answer:?}"),
        }
    }
    assert_eq!(analytics.questions().len(), 300);
    assert!(analytics.calls() <= 8, "{} calls", analytics.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_are_not_as_many_as_the_questions_are_nobodys() {
    let world = World::start().await;
    let analytics = Analytics::start(&world).await;
    analytics.say(Says::Short);
    let answers = ask_at_once(&world, &analytics, &[1, 2, 3]).await;
    assert_eq!(answers, [Answer::Unknown("call_failed"); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_about_a_payment_that_is_made_with_it_and_stays() {
    let (world, _analytics) = asking(LONG).await;
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    world.post(&alice, "/v1/transfers", &transfer(&hers, &his, "1.00")).await;
    for wrong in [
        format!("insert into risk_words select id, '{}', 'allow' from transfers where kind = 'deposit'", decision(7)),
        format!("insert into risk_words values (gen_random_uuid(), '{}', 'allow')", decision(8)),
    ] {
        let refused = world.sql_error(&wrong).await;
        assert!(refused.contains("not made with it"), "{wrong}: {refused}");
    }
    for wrong in ["update risk_words set action = 'delay'", "delete from risk_words", "truncate risk_words"] {
        assert!(world.sql_error(wrong).await.contains("the ledger only grows"), "{wrong}");
    }
}

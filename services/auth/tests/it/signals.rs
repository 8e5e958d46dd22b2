//! What happens at a person's door is told to behavior: by a stand-in for it that listens, is away, or refuses.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use auth::MIGRATIONS;
use diesel_async::SimpleAsyncConnection as _;
use serde_json::{Value, json};
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rows};
use testkit::passkey::Passkey;
use testkit::pki::Pki;
use testkit::scene::until;
use testkit::server::{self, Server};
use tokio::time::timeout;

use crate::browser::{Browser, PASSWORD, parameter, tokens};
use crate::database::{connect, count};
use crate::draft::Client;
use crate::passkey::add;
use crate::roles::{ALICE, BOB, about, seeking, two_people};
use crate::second_factor::{awaiting, enrolled, type_code};
use crate::world::World;

/// How it answers.
#[derive(Clone, Copy, Default)]
enum Says {
    #[default]
    Taken,
    Refused,
    Ahead,
    /// With this status, of whatever it is told.
    Nothing(u16),
    /// When it is too late.
    Late,
}

struct Behavior {
    server: Server,
    told: Arc<Mutex<Vec<Value>>>,
    says: Arc<Mutex<Says>>,
}

impl Behavior {
    async fn start() -> Self {
        let pki = Pki::create(Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/auth-pki"))).unwrap();
        let (told, says) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::<Mutex<Says>>::default());
        let (hears, answers) = (Arc::clone(&told), Arc::clone(&says));
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            let (hears, answers) = (Arc::clone(&hears), Arc::clone(&answers));
            let answer = move |body: web::Json<Value>| {
                let (hears, says) = (Arc::clone(&hears), *answers.lock().unwrap());
                async move {
                    let (outcome, code) = match says {
                        Says::Taken => ("taken", None),
                        Says::Refused => ("refused", Some("request.invalid")),
                        Says::Ahead => ("refused", Some("behavior.from_future")),
                        Says::Nothing(status) => {
                            let problem = json!({ "type": "", "title": "", "status": status, "code": "server.busy" });
                            return HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(problem);
                        }
                        Says::Late => {
                            tokio::time::sleep(Duration::from_mins(1)).await;
                            return HttpResponse::Ok().finish();
                        }
                    };
                    let events = body["events"].as_array().unwrap().clone();
                    let result = |event: &Value| json!({ "id": event["id"], "outcome": outcome, "code": code });
                    let results: Vec<Value> = events.iter().map(result).collect();
                    hears.lock().unwrap().extend(events);
                    HttpResponse::Ok().json(json!({ "results": results }))
                }
            };
            config.route("/internal/v1/events", web::post().to(answer));
        });
        let (certificate, ca) = (pki.internal("behavior"), pki.internal_ca());
        let server = Server::start(server::FREE, &certificate, Some(&ca), routes).await.unwrap();
        Self { server, told, says }
    }

    /// A world that tells it.
    async fn world(&self) -> World {
        let url = self.server.url();
        World::start_with(|config| config.behavior_url = Some(url)).await
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// What it was told, in the order in which it happened.
    fn told(&self) -> Vec<Value> {
        let mut told = self.told.lock().unwrap().clone();
        told.sort_by_key(|event| event["at_unix_millis"].as_i64());
        told
    }

    /// The kinds of that.
    fn kinds(&self) -> Vec<String> {
        self.told().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }
}

async fn left(world: &World) -> i64 {
    count(world, "select count(*) as count from outbox").await
}

async fn all_told(world: &World) {
    until(async || left(world).await == 0).await;
}

/// A failed login of this address, and a moment.
async fn fail(world: &World, email: &str) {
    let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
    assert_eq!(browser.log_in(email, "not the right password").await.status, 422);
    world.clock.advance(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_failed_ones_and_the_device_are_told_under_the_persons_pseudonym_and_nothing_else_is() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let phone = Client::app();
    let (mut browser, pushed) = Browser::at_login(&world, &phone).await;
    let email = browser.register_anybody().await;
    world.clock.advance(1);
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    assert_eq!(phone.redemption(&world, &code, &pushed.verifier).await.send(&world).await.status, 200);
    world.clock.advance(1);
    fail(&world, &email).await;
    fail(&world, "nobody@example.org").await;
    let (mut browser, _) = Browser::at_login(&world, &Client::partner(&world)).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303);
    all_told(&world).await;
    assert_eq!(behavior.kinds(), ["login", "device", "failed_login", "login"], "of nobody there is nothing to tell");
    let told = behavior.told();
    let device = told.iter().find(|event| event["kind"] == "device").unwrap();
    assert_eq!(
        (device["device"].as_str(), device["level"].as_str()),
        (Some(phone.jkt().as_str()), Some("secure_element"))
    );
    let user = told[0]["user"].as_str().unwrap();
    assert_eq!(count(&world, &format!("select count(*) as count from users where id::text = '{user}'")).await, 1);
    assert!(told.iter().all(|event| event["user"] == told[0]["user"]), "{told:?}");
    let (mut browser, _) = Browser::at_login(&world, &phone).await;
    world.clock.advance(1);
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303);
    all_told(&world).await;
    let logins: Vec<Value> = behavior.told().iter().filter(|event| event["kind"] == "login").map(|login| login["known_device"].clone()).collect();
    assert_eq!(logins, [false, false, true], "a new phone, a server, and the phone that acts for them");
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains('@') && !text.contains("Alice") && !text.contains("127.0.0.1"), "{text}");
    // A server's key is no device.
    tokens(&world, &Client::partner(&world)).await;
    all_told(&world).await;
    assert_eq!(behavior.kinds().iter().filter(|kind| *kind == "device").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_second_factor_is_told_and_a_wrong_code_is_a_failed_login() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let (email, app) = enrolled(&world).await;
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    all_told(&world).await;
    let mut kinds = behavior.kinds();
    kinds.sort_unstable();
    assert_eq!(kinds, ["login", "second_factor"], "with the password alone nobody is logged in");
    assert_eq!(type_code(&mut browser, "000000").await.status, 422);
    world.clock.advance(1);
    assert_eq!(type_code(&mut browser, &app.paper[0]).await.status, 303);
    world.clock.advance(1);
    assert_eq!(add(&mut browser, &Passkey::generate(), "A key").await.status, 303);
    all_told(&world).await;
    world.clock.advance(1);
    let client = server::client(&world.pki.internal_ca(), Some(&world.pki.internal("operator"))).unwrap();
    for _ in 0..2 {
        let asked =
            client.post(world.internal_url("/internal/v1/second-factor-removals")).json(&json!({ "email": email }));
        assert_eq!(asked.send().await.unwrap().status(), 200);
    }
    all_told(&world).await;
    let mut told = behavior.told();
    told.retain(|event| event["kind"] == "second_factor");
    let changes: Vec<&Value> = told.iter().map(|event| &event["change"]).collect();
    assert_eq!(changes, ["added", "recovered", "added", "removed"], "what was not there was not removed");
    let kinds = behavior.kinds();
    assert_eq!(kinds.iter().filter(|kind| *kind == "failed_login").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "login").count(), 2, "{kinds:?}");
}

/// Nobody logs in more slowly, or not at all, because behavior is away; and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_while_behavior_is_away_or_hangs_and_it_is_told_afterwards() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let email = browser.register_anybody().await;
    all_told(&world).await;
    let mut happened = 1;
    for says in [Says::Late, Says::Nothing(503), Says::Nothing(403), Says::Ahead] {
        behavior.say(says);
        let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
        let logged_in = timeout(Duration::from_secs(5), browser.log_in(&email, PASSWORD)).await;
        assert_eq!(logged_in.expect("nobody waits for behavior").status, 303);
        happened += 1;
        if !matches!(says, Says::Late) {
            until(async || count(&world, "select count(*) as count from outbox where attempts > 0").await > 0).await;
        }
        assert_ne!(left(&world).await, 0);
    }
    behavior.say(Says::Taken);
    // Pauses and leases are over.
    let told = async || {
        world.clock.advance(600);
        left(&world).await == 0
    };
    until(told).await;
    let ids: HashSet<String> = behavior.told().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), happened);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_by_itself_holds_up_nothing() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    behavior.say(Says::Refused);
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    all_told(&world).await;
}

/// What many failed logins leave is told in batches, by however many processes, and each once.
#[tokio::test(flavor = "multi_thread")]
async fn many_signals_are_told_in_batches_and_by_one_process_each() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let mut superuser = connect(&world.database.superuser_url).await;
    let many = format!(
        "insert into outbox (id, kind, user_id, happened_at, next_attempt_at) \
         select gen_random_uuid(), 'failed_login', '{ALICE}', now() - interval '1 hour', now() - interval '1 hour' from generate_series(1, 350)"
    );
    let second = world.beside(Some(behavior.server.url())).await;
    superuser.batch_execute(&many).await.unwrap();
    all_told(&world).await;
    let told = behavior.told();
    let ids: HashSet<&str> = told.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!((told.len(), ids.len()), (350, 350));
    second.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_nobody_has_leaves_the_same_behind_and_it_is_told_to_nobody() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let email = browser.register_anybody().await;
    fail(&world, &email).await;
    fail(&world, "nobody@example.org").await;
    for (whose, rows) in [("user_id is not null", 1), ("user_id is null", 1)] {
        let query = format!("select count(*) as count from outbox where kind = 'failed_login' and {whose}");
        assert_eq!(count(&world, &query).await, rows, "{whose}");
    }
}

#[tokio::test]
async fn a_transaction_leaves_word_of_its_own_person_only_and_a_kind_has_what_it_has() {
    let database = two_people().await;
    let app = &database.app_url;
    let row = |kind: &str, user: &str, jkt: &str, detail: &str| {
        format!(
            "insert into outbox (id, kind, user_id, happened_at, jkt, detail, next_attempt_at) values (gen_random_uuid(), '{kind}', {user}, now(), {jkt}, {detail}, now())"
        )
    };
    let (alice, bob) = (format!("'{ALICE}'"), format!("'{BOB}'"));
    for (says, statement, refused) in [
        (about(ALICE), row("login", &alice, "null", "null"), None),
        (about(ALICE), row("login", &bob, "null", "null"), Some(FORBIDDEN)),
        (String::new(), row("login", &alice, "null", "null"), Some(FORBIDDEN)),
        // Whoever holds a code tells of the device that it was redeemed on.
        (seeking("code", ALICE), row("device", &alice, "'k'", "'tee'"), None),
        (seeking("code", ALICE), row("device", &bob, "'k'", "'tee'"), Some(FORBIDDEN)),
        (String::new(), row("failed_login", "null", "null", "null"), None),
        (String::new(), row("login", "null", "null", "null"), Some(FORBIDDEN)),
        (about(ALICE), row("device", &alice, "null", "'tee'"), Some("23514")),
        (about(ALICE), row("login", &alice, "'k'", "null"), Some("23514")),
        (about(ALICE), row("login", &alice, "null", "'known_device'"), None),
        (about(ALICE), row("login", &alice, "null", "'tee'"), Some("23514")),
        (about(ALICE), row("second_factor", &alice, "null", "null"), Some("23514")),
        (about(ALICE), row("rumour", &alice, "null", "null"), Some("23514")),
    ] {
        let answer = attempt(app, &format!("{says} {statement}")).await.unwrap();
        assert_eq!(answer.as_deref(), refused, "{says} {statement}");
    }
    let mut statements = refused_to_everybody("auth_owner", "outbox");
    statements.extend(["update outbox set user_id = null", "update outbox set kind = 'login'"].map(str::to_owned));
    assert_eq!(not_forbidden(app, &statements).await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_has_listened_to_is_forgotten_after_a_week() {
    let database = TestDatabase::create("auth", MIGRATIONS).await.unwrap();
    let mut superuser = connect(&database.superuser_url).await;
    for days in [6, 8] {
        let row = format!(
            "insert into outbox (id, kind, happened_at, next_attempt_at) values (gen_random_uuid(), 'failed_login', now() - interval '{days} days', now())"
        );
        superuser.batch_execute(&row).await.unwrap();
    }
    let forgotten = "select 1 from generate_series(1, (select forget(now()))::int)";
    assert_eq!(rows(&database.app_url, "", forgotten).await.unwrap(), 1);
}

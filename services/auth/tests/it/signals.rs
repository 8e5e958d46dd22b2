//! What happens at a person's door is told to behavior: by a stand-in for it that listens, is away, or refuses.

use std::collections::HashSet;
use std::time::Duration;

use auth::{MIGRATIONS, Watching};
use crypto::SecretString;
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::database::TestDatabase;
use testkit::database::guards::{FORBIDDEN, attempt, not_forbidden, refused_to_everybody, rows};
use testkit::passkey::Passkey;
use testkit::scene::until;
use testkit::server;
use tokio::time::timeout;

use crate::behavior::{Behavior, Says, all_told, left};
use crate::browser::{Browser, PASSWORD, parameter, tokens};
use crate::database::{connect, count};
use crate::draft::Client;
use crate::passkey::{add, asked, owner, show};
use crate::roles::{ALICE, BOB, about, seeking, two_people};
use crate::second_factor::{awaiting, enrolled, type_code};
use crate::world::World;

/// A failed login of this address, and a moment.
async fn fail(world: &World, email: &str) {
    let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
    assert_eq!(browser.log_in(email, "not the right password").await.status, 422);
    world.clock.advance(1);
}

/// What is written stays, as if no courier had come yet: of nobody nothing is told, and its row goes at once.
async fn nothing_goes(world: &World) {
    connect(&world.database.superuser_url).await.batch_execute("revoke delete on outbox from auth_app").await.unwrap();
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
    let logins: Vec<Value> = behavior
        .told()
        .iter()
        .filter(|event| event["kind"] == "login")
        .map(|login| login["known_device"].clone())
        .collect();
    assert_eq!(
        logins,
        [false, true, true],
        "a new phone, a server, which pays nothing, and the phone that acts for them"
    );
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
    for says in [Says::Nothing(503), Says::Nothing(403), Says::Ahead, Says::Late] {
        behavior.say(says);
        world.clock.advance(1);
        let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
        let logged_in = timeout(Duration::from_secs(5), browser.log_in(&email, PASSWORD)).await;
        assert_eq!(logged_in.expect("nobody waits for behavior").status, 303);
        happened += 1;
        // This one, and not one that was left before.
        let newest =
            "select count(*) as count from (select attempts from outbox order by id desc limit 1) o where attempts > 0";
        until(async || count(&world, newest).await == 1).await;
        let waiting = i64::try_from(happened - 1).unwrap();
        assert_eq!(left(&world).await, waiting, "none of them is taken");
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

/// As the metric has it: of several rows the oldest counts, whoever it is of.
#[tokio::test(flavor = "multi_thread")]
async fn how_far_behind_it_is_rises_while_behavior_is_away_and_falls_to_nothing() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let watching = Watching { pool: storage::pool(&SecretString::from(world.database.app_url.clone()), 1).unwrap() };
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let email = browser.register_anybody().await;
    all_told(&world).await;
    assert_eq!(watching.lag().await.unwrap(), Duration::ZERO);
    behavior.say(Says::Nothing(503));
    nothing_goes(&world).await;
    fail(&world, "nobody@example.org").await;
    fail(&world, &email).await;
    assert_eq!(left(&world).await, 2, "behavior is away");
    let first = watching.lag().await.unwrap();
    until(async || watching.lag().await.unwrap() > first).await;
    let mut superuser = connect(&world.database.superuser_url).await;
    let earlier = "update outbox set happened_at = happened_at - interval '90 seconds' where user_id is null";
    superuser.batch_execute(earlier).await.unwrap();
    let lag = watching.lag().await.unwrap();
    assert!((85..100).contains(&lag.as_secs()), "{lag:?}");
    superuser.batch_execute("grant delete on outbox to auth_app").await.unwrap();
    behavior.say(Says::Taken);
    world.clock.advance(600);
    all_told(&world).await;
    assert_eq!(watching.lag().await.unwrap(), Duration::ZERO);
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
async fn where_nobody_is_to_be_told_nothing_is_written() {
    let world = World::start().await;
    tokens(&world, &Client::app()).await;
    let (email, _) = enrolled(&world).await;
    fail(&world, &email).await;
    fail(&world, "nobody@example.org").await;
    assert_eq!(left(&world).await, 0);
    assert_eq!(count(&world, "select count(*) as count from refresh_tokens where not device_told").await, 1);
}

/// Else the phone that comes next would pass as the first, and the owner's as the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_was_there_before_anybody_was_told_is_told_of_once_when_it_refreshes() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let phone = Client::app();
    let token = tokens(&world, &phone).await.member("refresh_token");
    let since = world.now();
    all_told(&world).await;
    assert_eq!(phone.refresh(&world, &token).await.send(&world).await.status, 200);
    assert_eq!(left(&world).await, 0, "it was told of when it redeemed its code");
    // As migration 9 finds it.
    let mut superuser = connect(&world.database.superuser_url).await;
    superuser.batch_execute("update refresh_tokens set device_told = false").await.unwrap();
    world.clock.advance(20 * 86_400);
    let mut drafts = Vec::new();
    for _ in 0..32 {
        drafts.push(phone.refresh(&world, &token).await);
    }
    let replies = join_all(drafts.iter().map(|draft| draft.send(&world))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    all_told(&world).await;
    let devices: Vec<Value> = behavior.told().into_iter().filter(|event| event["kind"] == "device").collect();
    assert_eq!(devices.len(), 2, "{devices:?}");
    for device in &devices {
        let said = (device["device"].as_str().unwrap(), device["level"].as_str().unwrap());
        assert_eq!(said, (phone.jkt().as_str(), "secure_element"));
        let at = device["at_unix_millis"].as_i64().unwrap() / 1000;
        assert!((since - 60..=since).contains(&at), "since it logged in: {at}, {since}");
    }
    // A server's instances are no devices.
    let partner = Client::partner(&world);
    let token = tokens(&world, &partner).await.member("refresh_token");
    assert_eq!(partner.refresh(&world, &token).await.send(&world).await.status, 200);
    all_told(&world).await;
    assert_eq!(behavior.kinds().iter().filter(|kind| *kind == "device").count(), 2);
}

/// Neither a row that this version cannot read nor a kind that behavior does not know keeps what is claimed with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_holds_up_nothing_else_and_is_told_when_it_can() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    behavior.say(Says::Unread("second_factor"));
    let mut superuser = connect(&world.database.superuser_url).await;
    let row = |kind: &str, jkt: &str, detail: &str, many: u32| {
        format!(
            "insert into outbox (id, kind, user_id, happened_at, jkt, detail, next_attempt_at) \
             select gen_random_uuid(), '{kind}', '{ALICE}', now() - interval '1 hour', {jkt}, {detail}, now() - interval '1 hour' \
             from generate_series(1, {many});"
        )
    };
    let rows = [
        row("device", "'no thumbprint'", "'software'", 1),
        row("device", &format!("'{}'", Client::app().jkt()), "'paper'", 1),
        row("second_factor", "null", "'added'", 1),
        row("failed_login", "null", "null", 60),
    ];
    superuser.batch_execute(&rows.concat()).await.unwrap();
    until(async || left(&world).await == 3).await;
    assert_eq!(behavior.kinds(), vec!["failed_login"; 60]);
    behavior.say(Says::Taken);
    let told = async || {
        world.clock.advance(600);
        left(&world).await == 2
    };
    until(told).await;
    assert_eq!(behavior.kinds().iter().filter(|kind| *kind == "second_factor").count(), 1);
    assert_eq!(count(&world, "select count(*) as count from outbox where kind = 'device' and attempts > 1").await, 2);
}

/// A replayed code, a recovery code that is none, and a passkey that is another's.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_beside_the_password_is_a_failed_login() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let failed = async || {
        all_told(&world).await;
        behavior.kinds().iter().filter(|kind| *kind == "failed_login").count()
    };
    let (email, app) = enrolled(&world).await;
    world.clock.advance(60);
    let code = app.code(world.now());
    for (shown, status, count) in
        [(code.as_str(), 303, 0), (&code, 422, 1), (&app.paper[0], 303, 1), (&app.paper[0], 422, 2), ("", 422, 2)]
    {
        let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
        assert_eq!(type_code(&mut browser, shown).await.status, status, "{shown}");
        assert_eq!(failed().await, count, "{shown}");
    }
    let (email, _, _) = owner(&world).await;
    let (mut browser, page, _) = asked(&world, &Client::app(), &email).await;
    assert_eq!(show(&mut browser, &page, &Passkey::generate()).await.status, 422);
    assert_eq!(failed().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_nobody_has_leaves_the_same_behind_and_it_is_told_to_nobody() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    nothing_goes(&world).await;
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
    for (days, many) in [(6, 1), (8, 5_001)] {
        let row = format!(
            "insert into outbox (id, kind, happened_at, next_attempt_at) \
             select gen_random_uuid(), 'failed_login', now() - interval '{days} days', now() from generate_series(1, {many})"
        );
        superuser.batch_execute(&row).await.unwrap();
    }
    let forgotten = |by: &str, moment: &str| format!("select 1 from generate_series(1, (select {by}({moment}))::int)");
    let app = &database.app_url;
    assert_eq!(
        rows(app, "", &forgotten("forget", "now()")).await.unwrap(),
        0,
        "what else is over waits for none of it"
    );
    for left in [2, 1, 1] {
        connect(app).await.batch_execute("select forget_outbox(now())").await.unwrap();
        assert_eq!(rows(app, "", "select 1 from outbox").await.unwrap(), left, "so much at a time");
    }
    let ahead = forgotten("forget_outbox", "now() + interval '1 year'");
    assert_eq!(rows(app, "", &ahead).await.unwrap(), 0, "never ahead of the database's clock");
}

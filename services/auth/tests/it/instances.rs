//! Access tokens say since when an instance of the app acts for its person, and since when the person has the second factor that they have shown.

use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::database::guards::{FORBIDDEN, attempt, rows};

use crate::browser::{Browser, PASSWORD, parameter};
use crate::database::{connect, count};
use crate::draft::Client;
use crate::payer::{Scene, mark, press, push};
use crate::roles::{ALICE, BOB, about, seeking, two_people};
use crate::second_factor::{App, enrolled, said, type_code};
use crate::world::World;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Logs in and says what the access tokens say, the first one and the next.
async fn tokens(world: &World, client: &Client, email: &str, code: Option<&str>) -> Value {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let reply = browser.log_in(email, PASSWORD).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    if let Some(code) = code {
        browser.get("/code").await;
        let reply = type_code(&mut browser, code).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
    }
    allowed(world, client, browser, &pushed.verifier).await
}

/// What the access tokens say once the person has allowed them.
async fn allowed(world: &World, client: &Client, mut browser: Browser<'_>, verifier: &str) -> Value {
    browser.get("/consent").await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let tokens = client.redemption(world, &code, verifier).await.send(world).await;
    let refreshed = client.refresh(world, &tokens.member("refresh_token")).await.send(world).await;
    let (first, next) = (said(&tokens.member("access_token")), said(&refreshed.member("access_token")));
    for claim in ["instance", "factor_since"] {
        assert_eq!(first.get(claim), next.get(claim), "{claim} is the same after a refresh");
    }
    first
}

/// Somebody registers in an app.
async fn registered(world: &World, client: &Client) -> (String, Value) {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let email = browser.register_anybody().await;
    let claims = allowed(world, client, browser, &pushed.verifier).await;
    (email, claims)
}

#[tokio::test]
async fn an_instance_is_as_old_as_the_first_login_on_it() {
    let world = World::start().await;
    let (old, new) = (Client::app(), Client::app());
    let began = world.now();
    let (email, claims) = registered(&world, &old).await;
    assert_eq!(claims["instance"], json!({ "since": began, "first": true }), "it came with the account");
    world.clock.advance(DAY);
    let came = world.now();
    assert_eq!(tokens(&world, &new, &email, None).await["instance"], json!({ "since": came }), "and this one did not");
    world.clock.advance(HOUR);
    assert_eq!(
        tokens(&world, &new, &email, None).await["instance"],
        json!({ "since": came }),
        "a login renews nothing"
    );
    let again = tokens(&world, &old, &email, None).await;
    assert_eq!(again["instance"], json!({ "since": began, "first": true }));
    // Of another person it is new.
    let (_, claims) = registered(&world, &new).await;
    assert_eq!(claims["instance"], json!({ "since": world.now(), "first": true }));
    // A server has no instances.
    let partner = tokens(&world, &Client::partner(&world), &email, None).await;
    assert_eq!(partner.get("instance"), None);
    assert_eq!(count(&world, "select count(*) as count from instances").await, 3);
}

/// Otherwise whoever has found a password out would come with the first phone of somebody who has none.
#[tokio::test]
async fn the_first_instance_of_an_account_that_was_there_for_long_is_new() {
    let world = World::start().await;
    for (after, first) in [(HOUR, true), (HOUR + 1, false)] {
        let (mut browser, _) = Browser::at_login(&world, &Client::partner(&world)).await;
        let email = browser.register_anybody().await;
        world.clock.advance(after);
        let claims = tokens(&world, &Client::app(), &email, None).await;
        assert_eq!(claims["instance"]["first"].as_bool().unwrap_or_default(), first, "{after}: {claims}");
    }
}

#[tokio::test]
async fn a_second_factor_is_as_old_as_its_enrolment() {
    let world = World::start().await;
    let began = world.now();
    let (email, app) = enrolled(&world).await;
    world.clock.advance(2 * DAY);
    let shown = tokens(&world, &Client::app(), &email, Some(&app.code(world.now()))).await;
    assert_eq!(shown["factor_since"], began, "{shown}");
    // A code on paper only stands in for it, and was perhaps made yesterday.
    world.clock.advance(30);
    let paper = tokens(&world, &Client::app(), &email, Some(&app.paper[0])).await;
    assert_eq!((paper.get("factor_since"), &paper["amr"]), (None, &json!(["pwd", "mfa"])));
    // Without one there is nothing to say.
    let (_, plain) = registered(&world, &Client::app()).await;
    assert_eq!(plain.get("factor_since"), None);
}

/// A thief who has the password sets an app of his own up, before or after the first token; that the app is his, nobody knows, but that it is new.
#[tokio::test]
async fn a_factor_that_was_set_up_in_the_same_session_is_of_now() {
    let world = World::start().await;
    let (email, _) = registered(&world, &Client::app()).await;
    world.clock.advance(30 * DAY);
    let (thief, came) = (Client::app(), world.now());
    let (mut browser, pushed) = Browser::at_login(&world, &thief).await;
    browser.log_in(&email, PASSWORD).await;
    let page = browser.get("/second-factor/new").await;
    let app = App::read(&page);
    let page = browser.post("/second-factor/new", &[("code", &app.code(world.now()))]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let claims = allowed(&world, &thief, browser, &pushed.verifier).await;
    assert_eq!((&claims["factor_since"], &claims["amr"]), (&json!(came), &json!(["pwd", "otp", "mfa"])));
    assert_eq!(claims["instance"], json!({ "since": came }));
    world.clock.advance(HOUR);
    let claims = tokens(&world, &thief, &email, Some(&app.code(world.now()))).await;
    assert_eq!(claims["factor_since"], came, "nor does it become older by being used");
}

#[tokio::test]
async fn an_approval_says_it_too_and_makes_no_instance_known() {
    let scene = Scene::new().await;
    let noted = "select count(*) as count from instances";
    let began = scene.world.now();
    let (mut browser, pushed) = scene.logged_in().await;
    let page = browser.get("/approve").await;
    let url = press(&mut browser, "approve", &mark(&page)).await.goes_on_to();
    let own = said(&scene.redeem(&url, &pushed).await.member("access_token"));
    assert_eq!(own["instance"], json!({ "since": began, "first": true }));
    assert_eq!(count(&scene.world, noted).await, 1);
    // A phone on which nobody has logged in is as new as can be, however often it comes.
    let scene = Scene { client: Client::app(), ..scene };
    for _ in 0..2 {
        scene.world.clock.advance(60);
        let pushed = push(&scene.world, &scene.client).await;
        let mut browser = Browser::new(&scene.world);
        browser.open(scene.client.id(), &pushed.request_uri).await;
        browser.log_in(&scene.email, PASSWORD).await;
        let page = browser.get("/approve").await;
        let url = press(&mut browser, "approve", &mark(&page)).await.goes_on_to();
        let claims = said(&scene.redeem(&url, &pushed).await.member("access_token"));
        assert_eq!(claims["instance"], json!({ "since": scene.world.now() }));
    }
    assert_eq!(count(&scene.world, noted).await, 1);
}

/// A process of the former version lets people in and notes nothing; what it has let in is not new for ever.
#[tokio::test]
async fn an_instance_that_was_not_noted_is_when_it_refreshes_and_approvals_say_so() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let began = world.now();
    let (mut browser, pushed) = Browser::at_login(world, &scene.client).await;
    browser.log_in(&scene.email, PASSWORD).await;
    browser.get("/consent").await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let token = scene.client.redemption(world, &code, &pushed.verifier).await.send(world).await.member("refresh_token");
    unnote(world).await;
    world.clock.advance(60);
    let first = json!({ "since": began, "first": true });
    for _ in 0..2 {
        let refreshed = scene.client.refresh(world, &token).await.send(world).await;
        assert_eq!(said(&refreshed.member("access_token"))["instance"], first);
        world.clock.advance(60);
    }
    let (mut browser, pushed) = scene.logged_in().await;
    let page = browser.get("/approve").await;
    let url = press(&mut browser, "approve", &mark(&page)).await.goes_on_to();
    let approval = said(&scene.redeem(&url, &pushed).await.member("access_token"));
    assert_eq!(approval["instance"], first, "and not of now");
    // A login renews it no more than any other, and one of an account that was there for long is not the first.
    unnote(world).await;
    world.clock.advance(DAY);
    let (client, came) = (Client::app(), world.now());
    let (mut browser, pushed) = Browser::at_login(world, &client).await;
    browser.log_in(&scene.email, PASSWORD).await;
    browser.get("/consent").await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let token = client.redemption(world, &code, &pushed.verifier).await.send(world).await.member("refresh_token");
    unnote(world).await;
    world.clock.advance(HOUR);
    let refreshed = client.refresh(world, &token).await.send(world).await;
    assert_eq!(said(&refreshed.member("access_token"))["instance"], json!({ "since": came }));
    assert_eq!(tokens(world, &client, &scene.email, None).await["instance"], json!({ "since": came }));
}

async fn unnote(world: &World) {
    let forgotten = connect(&world.database.superuser_url).await.batch_execute("delete from instances").await;
    forgotten.unwrap();
    assert_eq!(count(world, "select count(*) as count from instances").await, 0);
}

/// An instance to be noted, as the service does.
fn note(person: &str, jkt: &str) -> String {
    format!("insert into instances (user_id, jkt, since) values ('{person}', '{}', now())", jkt.repeat(43))
}

#[tokio::test]
async fn of_many_that_come_at_once_one_is_the_first() {
    let database = two_people().await;
    connect(&database.superuser_url).await.batch_execute("delete from instances").await.unwrap();
    let letters: Vec<String> = (b'a'..=b't').map(|letter| char::from(letter).to_string()).collect();
    let attempts = letters.iter().map(async |letter| {
        let all = format!("begin; {} {}; commit", about(ALICE), note(ALICE, letter));
        connect(&database.app_url).await.batch_execute(&all).await
    });
    let came = join_all(attempts).await;
    assert!(came.iter().all(Result::is_ok), "{came:?}");
    let first = "select 1 from instances where first";
    let all = "select 1 from instances";
    let (first, all) = (rows(&database.superuser_url, "", first).await, rows(&database.superuser_url, "", all).await);
    assert_eq!((first.unwrap(), all.unwrap()), (1, 20));
}

#[tokio::test]
async fn what_is_noted_of_an_instance_is_its_persons_own_and_never_changed() {
    let database = two_people().await;
    let app = &database.app_url;
    for says in [about(ALICE), seeking("code", ALICE), seeking("token", ALICE)] {
        assert_eq!(attempt(app, &format!("{says} {}", note(ALICE, "n"))).await.unwrap(), None, "{says}");
        let bobs = attempt(app, &format!("{says} {}", note(BOB, "n"))).await.unwrap();
        assert_eq!(bobs.as_deref(), Some(FORBIDDEN), "{says}");
    }
    for forbidden in [
        "update instances set since = now() - interval '1 year'",
        "update instances set first = true",
        "delete from instances",
        "insert into instances (user_id, jkt, since, first) values (null, null, null, true)",
        "select instances_come_once()",
    ] {
        let refused = attempt(app, &format!("{} {forbidden}", about(ALICE))).await.unwrap();
        assert_eq!(refused.as_deref(), Some(FORBIDDEN), "{forbidden}");
    }
}

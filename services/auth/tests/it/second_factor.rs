//! The second factor: who has one is not logged in without it, no code counts twice, and tokens say what was shown.

use std::collections::BTreeSet;

use crypto::b64;
use futures_util::future::join_all;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::browser::{Browser, PASSWORD, parameter};
use crate::database::{count, spelled};
use crate::draft::{Client, Reply};
use crate::world::World;

const MANY: usize = 100;

/// An authenticator app that has read the page, and the codes on paper.
pub(crate) struct App {
    totp: Totp,
    pub(crate) secret: String,
    pub(crate) paper: Vec<String>,
}

impl App {
    /// Of the page on which it is set up.
    pub(crate) fn read(page: &Reply) -> Self {
        let secret = between(&page.text, "<code id=\"secret\">", "</code>");
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30);
        let totp = builder.with_secret(Secret::try_from_base32(&secret).unwrap()).build().unwrap();
        Self { totp, secret, paper: Vec::new() }
    }

    pub(crate) fn code(&self, now: i64) -> String {
        self.totp.generate(u64::try_from(now).unwrap()).to_string()
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    text.split_once(before).expect(text).1.split_once(after).unwrap().0.to_owned()
}

/// The codes on a page that shows them.
pub(crate) fn paper(page: &Reply) -> Vec<String> {
    let items = page.text.split("<li><code>").skip(1);
    items.map(|item| item.split_once("</code>").unwrap().0.to_owned()).collect()
}

/// Somebody new has set up an app: their address, and the app. The clock goes on to the next code.
pub(crate) async fn enrolled(world: &World) -> (String, App) {
    let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
    let email = browser.register_anybody().await;
    let page = browser.get("/second-factor/new").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let mut app = App::read(&page);
    let page = browser.post("/second-factor/new", &[("code", &app.code(world.now()))]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    app.paper = paper(&page);
    assert_eq!(app.paper.iter().collect::<BTreeSet<_>>().len(), 10);
    world.clock.advance(30);
    (email, app)
}

/// A browser in which the password was right, on the page that asks for the code.
pub(crate) async fn awaiting<'w>(world: &'w World, client: &Client, email: &str) -> (Browser<'w>, String) {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let reply = browser.log_in(email, PASSWORD).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/code")), "{}", reply.text);
    assert_eq!(browser.get("/code").await.status, 200);
    (browser, pushed.verifier)
}

pub(crate) async fn type_code(browser: &mut Browser<'_>, code: &str) -> Reply {
    browser.post("/code", &[("code", code)]).await
}

/// What a token says, without looking at its signature.
pub(crate) fn said(token: &str) -> Value {
    serde_json::from_slice(&b64::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The methods that the tokens of a whole login name, which all say the same.
pub(crate) async fn methods(world: &World, client: &Client, email: &str, code: Option<&str>) -> Value {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let mut reply = browser.log_in(email, PASSWORD).await;
    if let Some(code) = code {
        assert_eq!(reply.leads_to().as_deref(), Some("/code"), "{}", reply.text);
        browser.get("/code").await;
        let before = browser.cookies.clone();
        reply = type_code(&mut browser, code).await;
        assert_ne!(browser.cookies, before, "who is known better has another cookie");
    }
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "{}", reply.text);
    browser.get("/consent").await;
    let code = parameter(&browser.decide("allow").await, "code").unwrap();
    let tokens = client.redemption(world, &code, &pushed.verifier).await.send(world).await;
    let refreshed = client.refresh(world, &tokens.member("refresh_token")).await.send(world).await;
    let (id, access) = (said(&tokens.member("id_token")), said(&tokens.member("access_token")));
    assert_eq!(id["amr"], access["amr"]);
    assert_eq!(said(&refreshed.member("access_token"))["amr"], access["amr"]);
    assert_eq!(access["auth_time"], world.now());
    access["amr"].clone()
}

#[tokio::test]
async fn who_has_an_app_is_asked_for_its_code_and_the_tokens_say_what_was_shown() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let plain = browser.register_anybody().await;
    let (email, app) = enrolled(&world).await;
    for client in [Client::app(), Client::partner(&world)] {
        assert_eq!(methods(&world, &client, &plain, None).await, json!(["pwd"]));
        let code = app.code(world.now());
        // As the app shows it.
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(methods(&world, &client, &email, Some(&spaced)).await, json!(["pwd", "otp", "mfa"]));
        world.clock.advance(30);
    }
    assert_eq!(methods(&world, &Client::app(), &email, Some(&app.paper[3])).await, json!(["pwd", "mfa"]));
}

#[tokio::test]
async fn with_the_password_alone_no_page_opens_and_nothing_is_answered() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    for path in ["/consent", "/approve", "/second-factor", "/second-factor/new"] {
        let reply = browser.get(path).await;
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/code")), "{path}");
    }
    for (path, form) in [
        ("/consent", [("decision", "allow"), ("code", "")]),
        ("/approve", [("decision", "approve"), ("shown", "")]),
        ("/second-factor", [("decision", "remove"), ("password", PASSWORD)]),
        ("/second-factor/new", [("code", "123456"), ("password", PASSWORD)]),
    ] {
        let reply = browser.post(path, &form).await;
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/code")), "{path}");
    }
    assert_eq!(count(&world, "select count(*) as count from grants").await, 0);
    assert_eq!(type_code(&mut browser, &app.code(world.now())).await.leads_to().as_deref(), Some("/consent"));
    // Whoever is known has no code to type, nor has whoever has not logged in.
    browser.get("/consent").await;
    assert_eq!(type_code(&mut browser, "123456").await.leads_to().as_deref(), Some("/consent"));
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    for reply in [browser.get("/code").await, type_code(&mut browser, "123456").await] {
        assert_eq!(reply.leads_to().as_deref(), Some("/login"));
    }
}

#[tokio::test]
async fn a_code_is_good_for_one_step_before_and_after_and_never_again() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let now = world.now();
    let refused = async |code: &str, reason: &str| {
        let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
        let reply = type_code(&mut browser, code).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, reason), "{code}");
        assert!(reply.text.contains("This code is not right, or it has been used."), "{}", reply.text);
    };
    let passes = async |code: &str| {
        let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
        assert_eq!(type_code(&mut browser, code).await.status, 303, "{code}");
    };
    // That of a step ago has set the app up.
    refused(&app.code(now - 30), "second_factor/code_used").await;
    refused(&app.code(now - 60), "second_factor/code_wrong").await;
    refused(&app.code(now + 60), "second_factor/code_wrong").await;
    refused("", "second_factor/code_missing").await;
    passes(&app.code(now + 30)).await;
    // What is older than the last one is used up with it.
    refused(&app.code(now), "second_factor/code_used").await;
    refused(&app.code(now + 30), "second_factor/code_used").await;
    world.clock.advance(60);
    passes(&app.code(now + 60)).await;
}

/// All of them have given the password, so nothing but the code decides.
async fn one_of_many(world: &World, email: &str, code: &str) {
    let mut browsers = Vec::new();
    for _ in 0..MANY {
        browsers.push(awaiting(world, &Client::app(), email).await.0);
    }
    let replies = join_all(browsers.iter_mut().map(|browser| type_code(browser, code))).await;
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [303, 422, 429].contains(status)), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_uses_of_one_code_exactly_one_wins() {
    let world = World::start_without_captcha().await;
    let (email, app) = enrolled(&world).await;
    one_of_many(&world, &email, &app.code(world.now())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_uses_of_one_recovery_code_exactly_one_wins() {
    let world = World::start_without_captcha().await;
    let (email, app) = enrolled(&world).await;
    one_of_many(&world, &email, &app.paper[0]).await;
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 9);
}

#[tokio::test]
async fn each_recovery_code_stands_in_once_for_its_own_person() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let (other, _) = enrolled(&world).await;
    for (number, code) in app.paper.iter().enumerate() {
        // However it was copied.
        let typed = if number % 2 == 0 { code.to_uppercase() } else { code.replace('-', " ") };
        let (mut browser, _) = awaiting(&world, &Client::app(), &other).await;
        let reply = type_code(&mut browser, &typed).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "second_factor/code_used"));
        let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
        assert_eq!(type_code(&mut browser, &typed).await.status, 303);
        let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
        assert_eq!(type_code(&mut browser, &typed).await.refusal(), "second_factor/code_used");
        // Far beyond every block.
        world.clock.advance(7200);
    }
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 10, "the other's");
}

#[tokio::test]
async fn five_wrong_codes_block_and_a_right_password_does_not_clear_them() {
    let world = World::start_without_captcha().await;
    let (email, app) = enrolled(&world).await;
    let mut browsers = Vec::new();
    for _ in 0..6 {
        browsers.push(awaiting(&world, &Client::app(), &email).await.0);
    }
    for browser in &mut browsers[..5] {
        assert_eq!(type_code(browser, "000 00").await.refusal(), "second_factor/code_wrong");
    }
    let reply = type_code(&mut browsers[5], &app.code(world.now())).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (429, "second_factor/blocked"));
    assert_eq!(reply.header("retry-after").as_deref(), Some("30"));
    assert!(reply.text.contains("Try again in 30 seconds"), "{}", reply.text);
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    let (mut owner, _) = awaiting(&world, &Client::app(), &email).await;
    world.clock.advance(30);
    assert_eq!(type_code(&mut browser, &app.code(world.now())).await.status, 303);
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, "1").await.status, 422, "a success begins a new count");
    // Who guesses does not shut out who has the paper: it is not guessed.
    for wanted in [422, 422, 422, 422, 429] {
        let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
        assert_eq!(type_code(&mut browser, "000 00").await.status, wanted);
    }
    assert_eq!(type_code(&mut owner, &app.paper[0]).await.status, 303);
}

#[tokio::test]
async fn neither_secret_nor_recovery_codes_can_be_read_from_the_database() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    let app = App::read(&browser.get("/second-factor/new").await);
    let bytes = Secret::try_from_base32(&app.secret).unwrap();
    let raw = hex::encode(bytes.as_bytes());
    assert_eq!(spelled(&world, &[&app.secret, &raw]).await, Vec::<String>::new(), "while it is set up");
    let page = browser.post("/second-factor/new", &[("code", &app.code(world.now()))]).await;
    let mut texts = vec![app.secret.clone(), raw];
    for code in paper(&page) {
        texts.extend([code.replace('-', ""), code]);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(spelled(&world, &texts).await, Vec::<String>::new());
    assert_eq!(count(&world, "select count(*) as count from interactions where enrolling_sealed is not null").await, 0);
}

//! The pages on which the second factor is set up, renewed and removed.

use futures_util::future::join;

use crate::browser::{Browser, PASSWORD};
use crate::database::count;
use crate::draft::{Client, Reply};
use crate::second_factor::{App, awaiting, enrolled, paper, type_code};
use crate::world::World;

/// Beyond the five minutes for which a login is new.
const OLD: i64 = 301;

/// Logged in with the app's code.
async fn logged_in<'w>(world: &'w World, email: &str, app: &App) -> Browser<'w> {
    let (mut browser, _) = awaiting(world, &Client::app(), email).await;
    assert_eq!(type_code(&mut browser, &app.code(world.now())).await.status, 303);
    world.clock.advance(30);
    browser.get("/second-factor").await;
    browser
}

async fn change(browser: &mut Browser<'_>, decision: &str, password: &str) -> Reply {
    browser.post("/second-factor", &[("decision", decision), ("password", password), ("sure", "yes")]).await
}

#[tokio::test]
async fn an_app_is_set_up_by_its_secret_its_link_or_its_picture() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let email = browser.register_anybody().await;
    assert!(browser.get("/consent").await.text.contains("href=\"/second-factor?interaction="));
    let page = browser.get("/second-factor").await;
    assert!(page.text.contains("You have none") && page.text.contains("href=\"/second-factor/new?"), "{}", page.text);
    let page = browser.get("/second-factor/new").await;
    let app = App::read(&page);
    let uri = format!("otpauth://totp/Redoubt:{}?secret={}&#38;issuer=Redoubt", email.replace('@', "%40"), app.secret);
    assert!(page.text.contains(&uri), "{uri} in {}", page.text);
    assert!(page.text.contains("role=\"img\"") && page.text.contains("<svg "), "{}", page.text);
    assert!(!page.text.contains("<script") && !page.text.contains("style=") && !page.text.contains("<?xml"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; style-src 'self';"));
    assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(App::read(&browser.get("/second-factor/new").await).secret, app.secret, "loading it again is no harm");

    let wrong = browser.post("/second-factor/new", &[("code", "1")]).await;
    assert_eq!((wrong.status, wrong.refusal().as_str()), (422, "second_factor/code_wrong"));
    assert_eq!(App::read(&wrong).secret, app.secret);
    let old = browser.cookies.clone();
    let page = browser.post("/second-factor/new", &[("code", &app.code(world.now()))]).await;
    assert_eq!((page.status, paper(&page).len()), (200, 10), "{}", page.text);
    assert_ne!(browser.cookies, old);
    let page = browser.get("/second-factor").await;
    assert!(page.text.contains("<dd>10</dd>") && page.text.contains("set up on"), "{}", page.text);
    // The sign-in goes on where it was; there is one app and no second one.
    assert_eq!(browser.get("/second-factor/new").await.leads_to().as_deref(), Some("/second-factor"));
    assert_eq!(browser.get("/consent").await.status, 200);
    browser.decide("allow").await;
    let otp = "select count(*) as count from grants where second_factor = 'otp'";
    assert_eq!(count(&world, otp).await, 1);
}

#[tokio::test]
async fn of_two_apps_set_up_at_once_one_counts() {
    let world = World::start().await;
    let (mut first, _) = Browser::at_login(&world, &Client::app()).await;
    let email = first.register_anybody().await;
    let (mut second, _) = Browser::at_login(&world, &Client::app()).await;
    second.log_in(&email, PASSWORD).await;
    let (one, two) =
        (App::read(&first.get("/second-factor/new").await), App::read(&second.get("/second-factor/new").await));
    assert_ne!(one.secret, two.secret);
    let codes = [one.code(world.now()), two.code(world.now())];
    let (first, second) = join(
        first.post("/second-factor/new", &[("code", &codes[0])]),
        second.post("/second-factor/new", &[("code", &codes[1])]),
    )
    .await;
    let (lost, counts, other) = if first.status == 200 { (second, one, two) } else { (first, two, one) };
    // Found in the transaction, or before it.
    let late = ["second_factor/enrolled_already", "second_factor/second_factor_missing"];
    assert!(lost.status != 200 && late.contains(&lost.refusal().as_str()), "{} {}", lost.status, lost.text);
    world.clock.advance(30);
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, &other.code(world.now())).await.status, 422);
    assert_eq!(type_code(&mut browser, &counts.code(world.now())).await.status, 303);
}

#[tokio::test]
async fn a_browser_that_logged_in_before_there_was_a_second_factor_does_nothing_without_it() {
    let world = World::start().await;
    let (mut owner, _) = Browser::at_login(&world, &Client::app()).await;
    let email = owner.register_anybody().await;
    let (mut thief, _) = Browser::at_login(&world, &Client::app()).await;
    thief.log_in(&email, PASSWORD).await;
    assert_eq!(thief.get("/consent").await.status, 200);
    // A secret of the thief's own, with which the count of wrong codes could be begun anew.
    let theirs = App::read(&thief.get("/second-factor/new").await).code(world.now());
    let app = App::read(&owner.get("/second-factor/new").await);
    assert_eq!(owner.post("/second-factor/new", &[("code", &app.code(world.now()))]).await.status, 200);
    for (path, form) in [
        ("/second-factor/new", ("code", theirs.as_str())),
        ("/consent", ("decision", "allow")),
        ("/second-factor", ("decision", "remove")),
        ("/second-factor", ("decision", "renew")),
    ] {
        let reply = thief.post(path, &[form]).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (403, "second_factor/second_factor_missing"), "{path}");
    }
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 10);
    assert_eq!(count(&world, "select count(*) as count from grants").await, 0);
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let mut browser = logged_in(&world, &email, &app).await;
    let page = change(&mut browser, "renew", "").await;
    let new = paper(&page);
    assert_eq!((page.status, new.len()), (200, 10), "{}", page.text);
    assert!(new.iter().all(|code| !app.paper.contains(code)));
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    assert_eq!(type_code(&mut browser, &app.paper[0]).await.refusal(), "second_factor/code_used");
    assert_eq!(type_code(&mut browser, &new[0]).await.status, 303);
    let page = browser.get("/second-factor").await;
    assert!(page.text.contains("<dd>9</dd>"), "{}", page.text);
}

#[tokio::test]
async fn what_is_removed_is_not_asked_for_any_more() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let mut browser = logged_in(&world, &email, &app).await;
    for decision in ["", "Remove", "allow"] {
        assert_eq!(change(&mut browser, decision, "").await.refusal(), "request/form_malformed", "{decision}");
    }
    let reply = change(&mut browser, "remove", "").await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/second-factor")));
    assert!(browser.get("/second-factor").await.text.contains("You have none"));
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 0);
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.leads_to().as_deref(), Some("/consent"));
}

#[tokio::test]
async fn nothing_changes_before_a_person_has_said_twice_that_it_shall() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let mut browser = logged_in(&world, &email, &app).await;
    for (decision, asks) in [("renew", "Make new recovery codes?"), ("remove", "Remove the authenticator app?")] {
        for sure in [None, Some(("sure", "")), Some(("sure", "no"))] {
            let form: Vec<_> = [("decision", decision)].into_iter().chain(sure).collect();
            let page = browser.post("/second-factor", &form).await;
            assert_eq!(page.status, 200, "{form:?}");
            let again = format!("name=\"decision\" value=\"{decision}\"");
            assert!(page.text.contains(asks) && page.text.contains(&again), "{form:?} {}", page.text);
        }
    }
    let page = browser.post("/second-factor", &[("decision", "remove")]).await;
    assert!(page.text.contains("It is the only one"), "{}", page.text);
    assert_eq!(count(&world, "select count(*) as count from totp_secrets").await, 1);
    assert_eq!(paper(&change(&mut browser, "renew", "").await).len(), 10);
    let (mut browser, _) = awaiting(&world, &Client::app(), &email).await;
    assert_eq!(
        type_code(&mut browser, &app.paper[0]).await.refusal(),
        "second_factor/code_used",
        "the old ones ended once"
    );
}

#[tokio::test]
async fn after_five_minutes_a_change_takes_the_password() {
    let world = World::start_without_captcha().await;
    let (email, app) = enrolled(&world).await;
    let mut browser = logged_in(&world, &email, &app).await;
    let asks = [("decision", "renew")];
    assert!(!browser.post("/second-factor", &asks).await.text.contains("name=\"password\""));
    world.clock.advance(OLD);
    assert!(browser.post("/second-factor", &asks).await.text.contains("name=\"password\""));
    for decision in ["renew", "remove"] {
        for password in ["", "not the right password"] {
            let reply = change(&mut browser, decision, password).await;
            assert_eq!((reply.status, reply.refusal().as_str()), (422, "login/credentials_wrong"), "{decision}");
        }
    }
    assert_eq!(count(&world, "select count(*) as count from recovery_codes").await, 10);
    assert_eq!(change(&mut browser, "renew", "not the right password").await.status, 422);
    let blocked = change(&mut browser, "renew", PASSWORD).await;
    assert_eq!((blocked.status, blocked.refusal().as_str()), (429, "login/blocked"));
    world.clock.advance(30);
    assert_eq!(paper(&change(&mut browser, "renew", PASSWORD).await).len(), 10);
    browser.get("/second-factor").await;
    assert_eq!(change(&mut browser, "remove", PASSWORD).await.status, 303);

    // To set one up, too: the code alone does not do.
    let app = App::read(&browser.get("/second-factor/new").await);
    let code = app.code(world.now());
    let reply = browser.post("/second-factor/new", &[("code", &code)]).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (422, "login/credentials_wrong"));
    let reply = browser.post("/second-factor/new", &[("code", &code), ("password", PASSWORD)]).await;
    assert_eq!((reply.status, paper(&reply).len()), (200, 10), "{}", reply.text);
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let world = World::start().await;
    let (email, app) = enrolled(&world).await;
    let mut known = logged_in(&world, &email, &app).await;
    let (mut half, _) = awaiting(&world, &Client::app(), &email).await;
    for browser in [&mut known, &mut half] {
        for path in ["/code", "/second-factor", "/second-factor/new"] {
            let (csrf, origin) = (browser.csrf.clone(), browser.origin.clone());
            browser.csrf = "x".repeat(43);
            assert_eq!(browser.post(path, &[("decision", "remove")]).await.refusal(), "csrf/csrf_mismatch", "{path}");
            browser.csrf = csrf;
            browser.origin = Some("https://evil.test".to_owned());
            assert_eq!(
                browser.post(path, &[("decision", "remove")]).await.refusal(),
                "origin/origin_mismatch",
                "{path}"
            );
            browser.origin = origin;
        }
    }
    assert_eq!(count(&world, "select count(*) as count from totp_secrets").await, 1);
}

//! How the approval of a payment ends, beside the usual way: by a no, by a second factor, by what cannot be read.

use api::approvals::{ACR_PAYMENT, ApprovedPayment};
use diesel_async::SimpleAsyncConnection as _;
use url::Url;

use crate::browser::{Browser, PASSWORD, parameter};
use crate::database::{connect, count};
use crate::draft::Client;
use crate::payer::{Scene, claims, mark, press};
use crate::second_factor::{App, awaiting, type_code};
use crate::world::APP;

/// Whoever has said no, or pressed by mistake, is not asked for this again: the app begins anew.
#[tokio::test]
async fn a_no_is_the_end_of_it() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    let kept = browser.clone();
    let url: Url = press(&mut browser, "refuse", &mark).await.goes_on_to().parse().unwrap();
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
    for decision in ["approve", "refuse"] {
        let reply = press(&mut kept.clone(), decision, &mark).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "interaction/interaction_unknown"), "{decision}");
    }
    let again = Browser::new(&scene.world).authorize(APP, &pushed.request_uri).await;
    assert_eq!((again.status, again.refusal().as_str()), (400, "request_uri/request_uri_unusable"));
    assert_eq!(count(&scene.world, "select count(*) as count from grants where expires_at is not null").await, 0);
}

#[tokio::test]
async fn what_was_shown_and_cannot_be_read_any_more_is_shown_anew() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let shown = mark(&browser.get("/approve").await);
    let damage = "update interactions set shown_sealed = 'x' where shown_sealed is not null";
    connect(&scene.world.database.superuser_url).await.batch_execute(damage).await.unwrap();
    let page = press(&mut browser, "approve", &shown).await;
    assert_eq!((page.status, page.refusal().as_str()), (422, "approval/payment_changed"));
    let url = press(&mut browser, "approve", &mark(&page)).await.goes_on_to();
    assert_eq!(scene.redeem(&url, &pushed).await.status, 200);
}

/// A phone on which somebody has only approved a payment is not one on which they have logged in.
#[tokio::test]
async fn an_approval_makes_no_device_known() {
    let mut scene = Scene::new().await;
    // Another phone than that on which the payer has registered.
    scene.client = Client::app();
    let (mut browser, pushed) = scene.logged_in().await;
    let shown = mark(&browser.get("/approve").await);
    let url = press(&mut browser, "approve", &shown).await.goes_on_to();
    assert_eq!(scene.redeem(&url, &pushed).await.status, 200);
    // Known devices count their own failures, strangers share one count.
    let (mut other, _) = Browser::at_login(&scene.world, &Client::app()).await;
    other.log_in(&scene.email, "not the right password").await;
    let (mut same, _) = Browser::at_login(&scene.world, &scene.client).await;
    same.log_in(&scene.email, "not the right password").await;
    let counts = "select count(*) as count from login_throttles where failures > 0";
    assert_eq!(count(&scene.world, counts).await, 1);
}

#[tokio::test]
async fn who_has_a_second_factor_approves_with_its_code_under_what_is_shown() {
    let scene = Scene::new().await;
    let (mut browser, _) = Browser::at_login(&scene.world, &scene.client).await;
    browser.log_in(&scene.email, PASSWORD).await;
    let app = App::read(&browser.get("/second-factor/new").await);
    browser.post("/second-factor/new", &[("code", &app.code(scene.world.now()))]).await;
    scene.world.clock.advance(30);

    let (mut browser, pushed) = scene.logged_in().await;
    assert_eq!(browser.get("/code").await.leads_to().as_deref(), Some("/approve"));
    assert_eq!(browser.get("/consent").await.leads_to().as_deref(), Some("/approve"));
    let page = browser.get("/approve").await;
    assert!(page.text.contains("1250.00 EUR") && page.text.contains("name=\"code\""), "{}", page.text);
    let shown = mark(&page);
    for (code, reason) in [
        (String::new(), "second_factor/code_missing"),
        ("000000".to_owned(), "second_factor/code_wrong"),
        (app.code(scene.world.now() - 30), "second_factor/code_used"),
    ] {
        let form = [("decision", "approve"), ("shown", shown.as_str()), ("code", code.as_str())];
        let page = browser.post("/approve", &form).await;
        assert_eq!((page.status, page.refusal().as_str()), (422, reason), "{code}");
        assert!(page.text.contains("role=\"alert\"") && page.text.contains("1250.00 EUR"), "{}", page.text);
    }
    // A right code under another page than this one's payment approves nothing, and is not used up.
    let right = app.code(scene.world.now());
    let unseen = [("decision", "approve"), ("shown", "x"), ("code", right.as_str())];
    assert_eq!(browser.post("/approve", &unseen).await.refusal(), "approval/payment_changed");
    let form = [("decision", "approve"), ("shown", shown.as_str()), ("code", right.as_str())];
    let url = browser.post("/approve", &form).await.goes_on_to();
    let tokens = scene.redeem(&url, &pushed).await;
    let claims = claims(&scene.world, &tokens).await;
    assert_eq!(
        (claims.acr.as_deref(), claims.amr),
        (Some(ACR_PAYMENT), ["pwd", "otp", "mfa"].map(str::to_owned).to_vec())
    );
    assert_eq!(claims.authorization_details, vec![ApprovedPayment::of(scene.payment.clone())]);

    // The same code for another payment page; and to say no takes none.
    let (mut browser, _) = scene.logged_in().await;
    let again = mark(&browser.get("/approve").await);
    let form = [("decision", "approve"), ("shown", again.as_str()), ("code", right.as_str())];
    assert_eq!(browser.post("/approve", &form).await.refusal(), "second_factor/code_used");
    let url: Url = press(&mut browser, "refuse", "").await.goes_on_to().parse().unwrap();
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
}

/// Else a code that was never typed under the payment would stand behind its approval.
#[tokio::test]
async fn no_app_is_set_up_on_the_way_to_a_payment() {
    let scene = Scene::new().await;
    let (mut browser, _) = scene.logged_in().await;
    for page in ["/second-factor", "/second-factor/new"] {
        assert_eq!(browser.get(page).await.leads_to().as_deref(), Some("/approve"), "{page}");
    }
}

/// Who has found the password out does not keep the payer out, on the phone that they use.
#[tokio::test]
async fn wrong_codes_elsewhere_do_not_block_the_phone_that_its_owner_uses() {
    let scene = Scene::new().await;
    let (mut browser, _) = Browser::at_login(&scene.world, &scene.client).await;
    browser.log_in(&scene.email, PASSWORD).await;
    let app = App::read(&browser.get("/second-factor/new").await);
    browser.post("/second-factor/new", &[("code", &app.code(scene.world.now()))]).await;
    scene.world.clock.advance(30);
    let elsewhere = Client::app();
    for wanted in [422, 422, 422, 422, 422, 429] {
        let (mut thief, _) = awaiting(&scene.world, &elsewhere, &scene.email).await;
        assert_eq!(type_code(&mut thief, "000000").await.status, wanted);
    }
    let (mut owner, _) = awaiting(&scene.world, &scene.client, &scene.email).await;
    assert_eq!(type_code(&mut owner, &app.code(scene.world.now())).await.status, 303);
}

#[tokio::test]
async fn too_many_wrong_codes_stop_an_approval() {
    let scene = Scene::new().await;
    let (mut browser, _) = Browser::at_login(&scene.world, &scene.client).await;
    browser.log_in(&scene.email, PASSWORD).await;
    let app = App::read(&browser.get("/second-factor/new").await);
    browser.post("/second-factor/new", &[("code", &app.code(scene.world.now()))]).await;
    scene.world.clock.advance(30);
    let (mut browser, _) = scene.logged_in().await;
    let shown = mark(&browser.get("/approve").await);
    let right = app.code(scene.world.now());
    for code in ["1", "2", "3", "4", "5"] {
        let form = [("decision", "approve"), ("shown", shown.as_str()), ("code", code)];
        assert_eq!(browser.post("/approve", &form).await.status, 422);
    }
    let form = [("decision", "approve"), ("shown", shown.as_str()), ("code", right.as_str())];
    let page = browser.post("/approve", &form).await;
    assert_eq!((page.status, page.refusal().as_str()), (429, "second_factor/blocked"));
    assert_eq!(page.header("retry-after").as_deref(), Some("30"));
}

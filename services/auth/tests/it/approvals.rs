//! The approval of one payment: what is approved is what was shown, and what was shown is what the ledger says.

use api::approvals::{ACR_PAYMENT, ApprovedPayment};
use diesel_async::SimpleAsyncConnection as _;
use futures_util::future::join_all;
use serde_json::json;
use testkit::browser::{approve_payment, refuse_payment};
use url::Url;

use crate::browser::{Browser, code, parameter};
use crate::database::{connect, count, spelled};
use crate::draft::{Client, refusal};
use crate::ledger::{ACCOUNT, Ledger, PAYMENT};
use crate::payer::{Scene, claims, mark, par, press, push, somebody};
use crate::userinfo::Request;
use crate::world::{APP, APP_REDIRECT, World};

#[tokio::test]
async fn the_payer_sees_what_the_ledger_says_and_the_token_says_exactly_that() {
    let scene = Scene::new().await;
    let (world, pushed) = (&scene.world, push(&scene.world, &scene.client).await);
    let (browser, start) = scene.phone(&pushed);
    let answered = approve_payment(browser, &start, APP_REDIRECT).await.unwrap();
    let page = &answered.shown[answered.shown.len() - 2];
    for part in [
        "1250.00 EUR",
        "Bäckerei Müller & Söhne",
        "DE89 3704 0044 0532 0130 00",
        ACCOUNT,
        "Everyday",
        "Invoice 4711",
        " UTC",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // Who comes to pay is told so before they type a password, and is not offered to become somebody else.
    let login = &answered.shown[0];
    assert!(login.contains("Log in to see your payment") && !login.contains("Create a login"), "{login}");
    let tokens = scene.redeem(&answered.location, &pushed).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    let (body, approved) = (tokens.json(), ApprovedPayment::of(scene.payment.clone()));
    assert_eq!(body["authorization_details"], json!([approved]));
    assert_eq!((&body["expires_in"], &body["scope"]), (&json!(120), &json!("payouts:write")));
    assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none(), "{body}");
    let claims = claims(world, &tokens).await;
    assert_eq!((claims.acr.as_deref(), claims.authorization_details), (Some(ACR_PAYMENT), vec![approved]));
    assert_eq!((claims.exp - claims.iat, claims.auth_time, claims.scope.as_str()), (120, world.now(), "payouts:write"));
    assert_eq!(claims.cnf.jkt.to_string(), scene.client.jkt());
    // Once to show it, and once before it was approved.
    let asked = format!("/internal/v1/approvals/{PAYMENT}?subject={}", claims.sub);
    assert_eq!(scene.ledger.said.lock().unwrap().asked, [asked.clone(), asked]);
    let me = Request::new(world, &scene.client, &tokens.member("access_token")).await.send(world).await;
    assert_eq!(me.refused(), refusal(403, "insufficient_scope", "authorization/scope_missing"));
}

#[tokio::test]
async fn who_says_no_has_not_paid() {
    let scene = Scene::new().await;
    let pushed = push(&scene.world, &scene.client).await;
    let (browser, start) = scene.phone(&pushed);
    let answered = refuse_payment(browser, &start, APP_REDIRECT).await.unwrap();
    assert!(answered.shown.iter().any(|page| page.contains("1250.00 EUR")));
    let url: Url = answered.location.parse().unwrap();
    assert_eq!((parameter(&url, "error").as_deref(), parameter(&url, "code")), (Some("access_denied"), None));
    assert_eq!(parameter(&url, "state").as_deref(), Some("state-1"));
}

#[tokio::test]
async fn an_ordinary_login_approves_nothing() {
    let world = World::start().await;
    let client = Client::app();
    let (code, verifier) = code(&world, &client).await;
    let tokens = client.redemption(&world, &code, &verifier).await.send(&world).await;
    let claims = claims(&world, &tokens).await;
    assert_eq!((claims.acr, claims.authorization_details.len(), claims.exp - claims.iat), (None, 0, 300));
    assert!(tokens.json().get("authorization_details").is_none());
}

#[tokio::test]
async fn only_the_app_asks_for_one_payment_and_with_nothing_beside() {
    let world = World::start().await;
    let (app, partner) = (Client::app(), Client::partner(&world));
    let details = "invalid_authorization_details";
    let two = json!([{ "type": "payment_initiation", "identifier": PAYMENT }, { "type": "payment_initiation", "identifier": ACCOUNT }]);
    let amount =
        json!([{ "type": "payment_initiation", "identifier": PAYMENT, "instructedAmount": { "amount": "1.00" } }]);
    let mut rows = vec![
        (&app, "authorization_details", "[]".to_owned(), details, "request/authorization_details"),
        (&app, "authorization_details", two.to_string(), details, "request/authorization_details"),
        (&app, "authorization_details", amount.to_string(), details, "request/authorization_details"),
        (&app, "acr_values", format!("{ACR_PAYMENT} other"), "invalid_request", "request/acr_values"),
        (&partner, "scope", "accounts:read".to_owned(), details, "request/authorization_details_of_a_server"),
    ];
    for beside in ["openid", "profile", "email", "offline_access", "accounts:read", "exchanges:write"] {
        rows.push((&app, "scope", format!("payouts:write {beside}"), "invalid_scope", "scope/scope_with_payment"));
    }
    for (client, name, value, error, reason) in rows {
        let (mut draft, _) = par(&world, client).await;
        draft.set(name, &value);
        assert_eq!(draft.send(&world).await.refused(), refusal(400, error, reason), "{name}={value}");
    }
    for scope in ["payouts:write", "transfers:write", "transfers:write payouts:write"] {
        let (mut draft, _) = par(&world, &app).await;
        draft.set("scope", scope);
        draft.form.remove("acr_values");
        assert_eq!(draft.send(&world).await.status, 201, "{scope}");
    }
    // Who wants an approval says of what; other wishes are none that must be met (OpenID Connect Core §3.1.2.1).
    for (values, status) in
        [(ACR_PAYMENT.to_owned(), 400), (format!("other {ACR_PAYMENT}"), 400), ("other".to_owned(), 201)]
    {
        let (mut draft, _) = app.par(&world).await;
        draft.set("acr_values", &values);
        let reply = draft.send(&world).await;
        assert_eq!(reply.status, status, "{values}");
        if status == 400 {
            assert_eq!(reply.refused(), refusal(400, "invalid_request", "request/acr_values_without_details"));
        }
    }
    // What is to be approved is pushed; nobody says it anew where tokens are made.
    let mut draft = app.redemption(&world, "code", &"v".repeat(43)).await;
    draft.set("authorization_details", "[]");
    assert_eq!(draft.send(&world).await.refused(), refusal(400, details, "request/authorization_details"));
}

#[tokio::test]
async fn nobody_approves_a_payment_that_is_not_theirs_or_is_over() {
    let scene = Scene::new().await;
    let (other, _) = somebody(&scene.world, &Client::app()).await;
    let (browser, _) = scene.logged_in_as(&other).await;
    let nothing = async |mut browser: Browser<'_>, reason: &str| {
        let page = browser.get("/approve").await;
        assert_eq!((page.status, page.refusal().as_str()), (200, reason));
        assert!(page.text.contains("There is nothing to approve") && !page.text.contains("1250"), "{}", page.text);
        let insists = press(&mut browser, "approve", "").await;
        assert_eq!((insists.status, insists.refusal().as_str()), (200, reason));
        let url: Url = press(&mut browser, "refuse", "").await.goes_on_to().parse().unwrap();
        assert_eq!((parameter(&url, "error").as_deref(), parameter(&url, "code")), (Some("access_denied"), None));
    };
    nothing(browser, "approval/payment_unknown").await;
    scene.becomes(|payment| payment.expires_at = "2020-01-01T00:00:00Z".into());
    nothing(scene.logged_in().await.0, "approval/payment_expired").await;
}

#[tokio::test]
async fn what_has_changed_since_it_was_shown_is_shown_anew_and_not_approved() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let first = mark(&browser.get("/approve").await);
    let changed = scene.becomes(|payment| payment.amount.amount = "1250.01".into());
    let page = press(&mut browser, "approve", &first).await;
    assert_eq!((page.status, page.refusal().as_str()), (422, "approval/payment_changed"));
    assert!(page.text.contains("role=\"alert\"") && page.text.contains("1250.01 EUR"), "{}", page.text);
    // The old page, that is still open in another tab.
    let page = press(&mut browser, "approve", &first).await;
    assert_eq!((page.status, page.refusal().as_str()), (422, "approval/payment_changed"));
    let url = press(&mut browser, "approve", &mark(&page)).await.goes_on_to();
    let tokens = scene.redeem(&url, &pushed).await;
    assert_eq!(tokens.json()["authorization_details"], json!([ApprovedPayment::of(changed)]));
}

#[tokio::test]
async fn what_was_never_shown_is_not_approved() {
    let scene = Scene::new().await;
    let (mut browser, _) = scene.logged_in().await;
    // The page of another sign-in of the same person has the token of that one.
    let (mut other, _) = scene.logged_in().await;
    let foreign = mark(&other.get("/approve").await);
    for unseen in ["", "x", &foreign] {
        let page = press(&mut browser, "approve", unseen).await;
        assert_eq!((page.status, page.refusal().as_str()), (422, "approval/payment_changed"), "{unseen}");
    }
}

#[tokio::test]
async fn each_page_answers_what_was_asked() {
    let scene = Scene::new().await;
    let (mut browser, _) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    for decision in ["", "allow", "Approve"] {
        assert_eq!(press(&mut browser, decision, &mark).await.refusal(), "request/form_malformed", "{decision}");
    }
    assert_eq!(browser.get("/consent").await.leads_to().as_deref(), Some("/approve"));
    for decision in ["allow", "deny", "approve"] {
        let reply = browser.post("/consent", &[("decision", decision)]).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "request/form_malformed"), "{decision}");
    }
    let csrf = std::mem::replace(&mut browser.csrf, "x".repeat(43));
    assert_eq!(press(&mut browser, "approve", &mark).await.refusal(), "csrf/csrf_mismatch");
    browser.csrf = csrf;
    assert_eq!(press(&mut browser, "approve", &mark).await.status, 200, "nothing of it has used it up");

    let (mut browser, _) = Browser::at_login(&scene.world, &scene.client).await;
    browser.register_anybody().await;
    for reply in [browser.get("/approve").await, press(&mut browser, "approve", &mark).await] {
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")));
    }
    let pushed = push(&scene.world, &scene.client).await;
    let mut browser = Browser::new(&scene.world);
    browser.open(APP, &pushed.request_uri).await;
    for reply in [browser.get("/approve").await, press(&mut browser, "approve", &mark).await] {
        assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/login")));
    }
}

/// The payment cannot be told: nothing is decided, and the person can come back.
async fn cannot_be_told(browser: &mut Browser<'_>, mark: &str) {
    for page in [browser.get("/approve").await, press(browser, "approve", mark).await] {
        assert_eq!((page.status, page.refusal().as_str()), (503, "availability/ledger_unavailable"), "{}", page.text);
        assert!(page.text.contains("Nothing has been decided") && page.text.contains("Try again</a>"), "{}", page.text);
    }
}

#[tokio::test]
async fn without_the_ledgers_word_nothing_is_decided() {
    let mut scene = Scene::new().await;
    let (mut browser, _) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    scene.ledger.said.lock().unwrap().status = Some(500);
    cannot_be_told(&mut browser, &mark).await;
    scene.ledger.said.lock().unwrap().status = None;
    scene.becomes(|payment| payment.id = ACCOUNT.parse().unwrap());
    cannot_be_told(&mut browser, &mark).await;
    scene.becomes(|payment| payment.id = PAYMENT.parse().unwrap());
    scene.ledger.said.lock().unwrap().hangs = true;
    cannot_be_told(&mut browser, &mark).await;
    scene.ledger.said.lock().unwrap().hangs = false;
    assert_eq!(press(&mut browser.clone(), "approve", &mark).await.status, 200);
    scene.ledger.goes_away().await;
    let (mut browser, _) = scene.logged_in().await;
    cannot_be_told(&mut browser, &mark).await;
    // To say no takes nobody's word.
    let url: Url = press(&mut browser, "refuse", "").await.goes_on_to().parse().unwrap();
    assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn another_workload_in_the_ledgers_place_is_not_believed() {
    let scene = Scene::with(Ledger::start_as("broker").await).await;
    let (mut browser, _) = scene.logged_in().await;
    cannot_be_told(&mut browser, "x").await;
    assert_eq!(scene.ledger.said.lock().unwrap().asked, [""; 0], "it is not even asked");
}

#[tokio::test]
async fn a_code_gives_one_approval_once() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    let url = press(&mut browser, "approve", &mark).await.goes_on_to();
    let stranger = Client::app();
    let code = parameter(&url.parse().unwrap(), "code").unwrap();
    assert_eq!(scene.redeem(&url, &pushed).await.status, 200);
    let again = scene.redeem(&url, &pushed).await;
    assert_eq!(again.refused(), refusal(400, "invalid_grant", "authorization_code/code_reused"));

    // In other hands it is of no use, and after that of none to its owner.
    let (mut browser, pushed) = scene.logged_in().await;
    let shown = self::mark(&browser.get("/approve").await);
    let url = press(&mut browser, "approve", &shown).await.goes_on_to();
    let stolen = parameter(&url.parse().unwrap(), "code").unwrap();
    assert_ne!(stolen, code);
    let reply = stranger.redemption(&scene.world, &stolen, &pushed.verifier).await.send(&scene.world).await;
    assert_eq!(reply.refused(), refusal(400, "invalid_grant", "dpop/code_of_another_key"));
    assert_eq!(scene.redeem(&url, &pushed).await.refusal(), "authorization_code/code_reused");
}

/// What was approved is not kept beyond the time of its code; without it there is no token.
#[tokio::test]
async fn a_code_whose_payment_is_gone_gives_nothing() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    let url = press(&mut browser, "approve", &mark).await.goes_on_to();
    let mut database = connect(&scene.world.database.superuser_url).await;
    database.batch_execute("delete from approved_payments").await.unwrap();
    let reply = scene.redeem(&url, &pushed).await;
    assert_eq!(reply.refused(), refusal(400, "invalid_grant", "authorization_code/code_expired"));
}

#[tokio::test]
async fn a_grant_that_is_over_opens_nothing() {
    let world = World::start().await;
    let client = Client::app();
    let tokens = crate::browser::tokens(&world, &client).await;
    let over = "update grants set expires_at = now() - interval '1 hour'";
    connect(&world.database.superuser_url).await.batch_execute(over).await.unwrap();
    let me = Request::new(&world, &client, &tokens.member("access_token")).await.send(&world).await;
    assert_eq!(me.refused(), refusal(401, "invalid_token", "access_token/grant_revoked"));
    let refreshed = client.refresh(&world, &tokens.member("refresh_token")).await.send(&world).await;
    assert_eq!(refreshed.refused(), refusal(400, "invalid_grant", "refresh_token/refresh_token_expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_approvals_of_one_payment_page_exactly_one_counts() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    let mut presses = vec![browser; 16];
    let replies = join_all(presses.iter_mut().map(|browser| press(browser, "approve", &mark))).await;
    let given: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(given.len(), 1, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    assert_eq!(scene.redeem(&given[0].goes_on_to(), &pushed).await.status, 200);
}

#[tokio::test]
async fn whom_a_payment_goes_to_cannot_be_read_from_the_database_and_is_not_kept() {
    let scene = Scene::new().await;
    let (mut browser, pushed) = scene.logged_in().await;
    let mark = mark(&browser.get("/approve").await);
    let names = ["Bäckerei Müller", "DE89 ", "1250.00", "Invoice 4711"];
    let found = async || spelled(&scene.world, &names).await;
    assert_eq!(found().await, Vec::<String>::new(), "while it is shown");
    let url = press(&mut browser, "approve", &mark).await.goes_on_to();
    assert_eq!(found().await, Vec::<String>::new(), "while its code is on its way");
    let kept = async || count(&scene.world, "select count(*) as count from approved_payments").await;
    assert_eq!(kept().await, 1);
    assert_eq!(scene.redeem(&url, &pushed).await.status, 200);
    let ends = "select count(*) as count from grants where extract(epoch from expires_at - created_at) = 180";
    assert_eq!((kept().await, count(&scene.world, ends).await), (0, 1));
}

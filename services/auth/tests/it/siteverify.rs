//! Somebody else's captcha in the place of ours: the broker is a stand-in here that answers as its manifests let a vendor's answer pass. Synthetic:
//! no vendor was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, web};
use defense::captcha::siteverify::{SiteverifyConfig, VendorName};
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::pki::Pki;
use testkit::server::{self, Server};

use crate::browser::{Browser, PASSWORD};
use crate::draft::{Client, Reply};
use crate::world::World;

const EMAIL: &str = "asked-by-others@example.org";
const WRONG: &str = "not the right password";

/// What the broker was asked: the path, and the call.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// The broker says of a token what stands in it: so a test writes the answer.
async fn broker() -> (Server, Asked) {
    let pki = Pki::create(Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/auth-pki"))).unwrap();
    let asked: Asked = Arc::default();
    let heard = Arc::clone(&asked);
    let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
        let heard = Arc::clone(&heard);
        config.default_service(web::to(move |request: HttpRequest, call: web::Json<Value>| {
            heard.lock().unwrap().push((request.path().to_owned(), call.clone()));
            let token = crypto::b64::decode(call["params"]["response"].as_str().unwrap()).unwrap();
            let mut result: Value = serde_json::from_slice(&token).unwrap();
            let away = result.as_object_mut().unwrap().remove("away").is_some();
            let answer = if away {
                HttpResponse::BadGateway().finish()
            } else {
                HttpResponse::Ok().json(json!({ "result": result }))
            };
            std::future::ready(answer)
        }));
    });
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (Server::start(free, &pki.internal("broker"), Some(&pki.internal_ca()), routes).await.unwrap(), asked)
}

/// A login page at which three have failed.
async fn world(vendor: VendorName, broker: &Server) -> World {
    let broker_url = broker.url();
    let world = World::start_with(|config| {
        config.captcha.siteverify = Some(SiteverifyConfig {
            vendor,
            site_key: "site-key".to_owned(),
            hostnames: vec!["auth.test".to_owned()],
            min_score: 0.5,
            broker_url,
            provider: "vendor".to_owned(),
        });
    })
    .await;
    for _ in 0..3 {
        assert_eq!(at_login(&world).await.log_in(EMAIL, WRONG).await.status, 422);
    }
    world
}

async fn at_login(world: &World) -> Browser<'_> {
    Browser::at_login(world, &Client::partner(world)).await.0
}

/// The token of which the broker says this: what a good one of reCAPTCHA has, with a change.
fn token(world: &World, change: impl FnOnce(&mut Value)) -> String {
    let given = chrono::DateTime::from_timestamp(world.now(), 0).unwrap().to_rfc3339();
    let mut answer = json!({ "success": true, "action": "login", "hostname": "auth.test", "challenge_ts": given,
        "score": "0.9", "n": crypto::random::token(6) });
    change(&mut answer);
    crypto::b64::encode(answer.to_string().as_bytes())
}

async fn log_in(browser: &mut Browser<'_>, token: &str) -> Reply {
    browser.post("/login", &[("email", EMAIL), ("password", PASSWORD), ("g-recaptcha-response", token)]).await
}

fn said(reply: &Reply) -> (u16, String) {
    (reply.status, reply.refusal())
}

#[tokio::test]
async fn what_siteverify_says_is_checked_and_a_token_is_asked_about_once() {
    let (broker, asked) = broker().await;
    let world = world(VendorName::Recaptcha, &broker).await;
    let mut browser = at_login(&world).await;
    assert_eq!(said(&browser.log_in(EMAIL, PASSWORD).await), (403, "captcha/captcha_missing".to_owned()));
    assert!(asked.lock().unwrap().is_empty(), "nobody is asked about nothing");
    let late = chrono::DateTime::from_timestamp(world.now() - 121, 0).unwrap().to_rfc3339();
    for (name, value, reason) in [
        ("success", json!(false), "captcha_wrong"),
        ("action", json!("register"), "captcha_foreign"),
        ("hostname", json!("evil.test"), "captcha_foreign"),
        ("challenge_ts", json!(late), "captcha_expired"),
        ("score", json!("0.4"), "captcha_score"),
    ] {
        let token = token(&world, |answer| answer[name] = value);
        assert_eq!(said(&log_in(&mut browser, &token).await), (403, format!("captcha/{reason}")), "{name}");
    }
    let good = token(&world, |_| ());
    asked.lock().unwrap().clear();
    let mut browsers = vec![browser; 8];
    let replies = join_all(browsers.iter_mut().map(|browser| log_in(browser, &good))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 422).count(), 1, "one is let try");
    let replayed = replies.iter().filter(|reply| reply.status == 403 && reply.refusal() == "captcha/captcha_replayed");
    assert_eq!(replayed.count(), 7);
    let heard = asked.lock().unwrap().clone();
    let call = json!({ "params": { "response": good, "remoteip": "127.0.0.1" } });
    assert_eq!(heard, [("/internal/v1/operations/vendor/siteverify".to_owned(), call)]);
}

#[tokio::test]
async fn without_the_broker_nobody_passes_who_is_asked_and_everybody_else_does() {
    let (broker, _) = broker().await;
    let world = world(VendorName::Recaptcha, &broker).await;
    let mut browser = at_login(&world).await;
    let reply = log_in(&mut browser, &token(&world, |answer| answer["away"] = json!(true))).await;
    assert_eq!(said(&reply), (503, "captcha/siteverify_unavailable".to_owned()));
    broker.end().await;
    let reply = log_in(&mut browser, &token(&world, |_| ())).await;
    assert_eq!(said(&reply), (503, "captcha/siteverify_unavailable".to_owned()));
    assert_eq!(browser.log_in("somebody-else@example.org", WRONG).await.status, 422, "nothing is asked of them");
}

/// What stands on the page, and what its policy lets load.
#[tokio::test]
async fn each_vendors_widget_is_on_the_page_and_in_its_policy() {
    let (broker, _) = broker().await;
    for (vendor, parts, sources) in [
        (
            VendorName::Recaptcha,
            &[
                "<script src=\"https://www.google.com/recaptcha/api.js?render=site-key\" async defer></script>",
                "<script type=\"module\" src=\"/captcha-score.js\"></script>",
                "<input type=\"hidden\" name=\"g-recaptcha-response\" data-sitekey=\"site-key\" data-action=\"login\">",
            ][..],
            "script-src 'self' https://www.google.com/recaptcha/",
        ),
        (
            VendorName::Hcaptcha,
            &[
                "<script src=\"https://js.hcaptcha.com/1/api.js\" async defer></script>",
                "<div class=\"h-captcha\" data-sitekey=\"site-key\" data-action=\"login\"></div>",
            ],
            "script-src https://hcaptcha.com https://*.hcaptcha.com;",
        ),
        (
            VendorName::Turnstile,
            &[
                "<script src=\"https://challenges.cloudflare.com/turnstile/v0/api.js\" async defer></script>",
                "<div class=\"cf-turnstile\" data-sitekey=\"site-key\" data-action=\"login\"></div>",
            ],
            "script-src https://challenges.cloudflare.com;",
        ),
    ] {
        let world = world(vendor, &broker).await;
        let mut browser = at_login(&world).await;
        let before = browser.get("/login").await;
        let policy = before.header("content-security-policy").unwrap();
        assert!(!policy.contains("script-src") && !before.text.contains("<script"), "who is not asked loads nothing");
        let page = browser.log_in(EMAIL, PASSWORD).await;
        for part in parts {
            assert!(page.text.contains(part), "{part} in {}", page.text);
        }
        let asked = page.header("content-security-policy").unwrap();
        assert!(asked.starts_with(&format!("{policy}; {sources}")), "{asked}");
        assert!(!page.text.contains("altcha"));
    }
    assert_eq!(at_login(&world(VendorName::Recaptcha, &broker).await).await.get("/captcha-score.js").await.status, 200);
}

//! Questions about what is good once, whose secret goes into a form: the manifests of the three vendors of captchas, before a synthetic one that
//! answers in their words.

use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, web};
use broker::Broker;
use runtime::Clock;
use serde_json::{Value, json};
use testkit::server::{self, Server};

use crate::bench::Bench;

const SECRET: &str = "0x4AAA+secret/of&the=site";
const VENDORS: [(&str, &str); 3] = [
    ("recaptcha", "/recaptcha/api/siteverify"),
    ("hcaptcha", "/siteverify"),
    ("turnstile", "/turnstile/v0/siteverify"),
];

/// Target, media type, `Authorization`, and the form.
type Asked = (String, String, bool, Vec<(String, String)>);

/// Synthetic: says of the token `good` that it is, with more than anybody needs to know; of `echo` it says our secret.
async fn vendor(bench: &Bench) -> (Server, Arc<Mutex<Vec<Asked>>>) {
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let heard = Arc::clone(&asked);
    let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
        let heard = Arc::clone(&heard);
        config.default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
            let form: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
            let token = form.iter().find(|(name, _)| name == "response").map(|(_, value)| value.clone()).unwrap();
            let media_type = request.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
            let authorized = request.headers().contains_key("authorization");
            heard.lock().unwrap().push((request.uri().to_string(), media_type, authorized, form));
            let answer = match token.as_str() {
                "good" => json!({ "success": true, "challenge_ts": "2027-01-15T07:59:00Z", "hostname": "login.example",
                    "action": "login", "score": 0.9, "score_reason": ["x"], "cdata": "x", "error-codes": [] }),
                "echo" => json!({ "success": true, "hostname": SECRET }),
                _ => json!({ "success": false, "error-codes": ["timeout-or-duplicate"] }),
            };
            std::future::ready(HttpResponse::Ok().json(answer))
        }));
    });
    (Server::start(crate::bench::ANY, &bench.pki.public("partner"), None, routes).await.unwrap(), asked)
}

async fn start() -> (Bench, reqwest::Client, Server, Arc<Mutex<Vec<Asked>>>) {
    let mut bench = Bench::start().await;
    let (server, asked) = vendor(&bench).await;
    for (name, _) in VENDORS {
        bench.config.manifests.push(format!("{}/manifests/{name}.toml", env!("CARGO_MANIFEST_DIR")).into());
        let settings = bench.on_loopback(server.url());
        bench.config.providers.insert(name.into(), settings);
    }
    let clock = Arc::clone(&bench.clock) as Arc<dyn Clock>;
    let next = runtime::start::<Broker>(bench.config.clone(), clock).await.unwrap();
    std::mem::replace(&mut bench.broker, next).stop().await.unwrap();
    for (name, _) in VENDORS {
        bench.seal(name, "siteverify", SECRET).await;
    }
    let as_auth = server::client(&bench.pki.internal_ca(), Some(&bench.pki.internal("auth"))).unwrap();
    (bench, as_auth, server, asked)
}

fn params(name: &str, token: &str) -> Value {
    let mut params = json!({ "response": token, "remoteip": "203.0.113.9" });
    if name == "hcaptcha" {
        params["sitekey"] = json!("site");
    }
    json!({ "params": params })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_goes_into_the_form_and_of_the_answer_passes_what_is_listed() {
    let (bench, auth, _server, asked) = start().await;
    for (name, path) in VENDORS {
        let operation = format!("{name}/siteverify");
        let (status, answer) = bench.call_as(&auth, &operation, params(name, "good")).await;
        let mut expected =
            json!({ "success": true, "challenge_ts": "2027-01-15T07:59:00Z", "hostname": "login.example" });
        if name != "hcaptcha" {
            expected["action"] = json!("login");
        }
        if name == "recaptcha" {
            expected["score"] = json!("0.9");
        }
        assert_eq!((status, &answer["result"]), (200, &expected), "{name}: {answer}");
        let (status, answer) = bench.call_as(&auth, &operation, params(name, "bad")).await;
        assert_eq!((status, answer), (200, json!({ "result": { "success": false } })), "{name}: no is an answer");
        let heard = std::mem::take(&mut *asked.lock().unwrap());
        assert_eq!(heard.len(), 2, "{name}: each was sent once");
        let (target, media_type, authorized, mut form) = heard[0].clone();
        assert_eq!((target.as_str(), media_type.as_str()), (path, "application/x-www-form-urlencoded"));
        assert!(!authorized, "{name}: the secret has one place");
        form.sort();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut expected = vec![pair("remoteip", "203.0.113.9"), pair("response", "good"), pair("secret", SECRET)];
        if name == "hcaptcha" {
            expected.push(pair("sitekey", "site"));
        }
        assert_eq!(form, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_auth_may_ask_and_an_answer_with_our_secret_does_not_pass() {
    let (bench, auth, _server, asked) = start().await;
    let (status, answer) = bench.call("turnstile/siteverify", params("turnstile", "good")["params"].clone()).await;
    assert_eq!((status, &answer["code"]), (404, &json!("broker.operation_unknown")));
    assert!(asked.lock().unwrap().is_empty());
    let (status, answer) = bench.call_as(&auth, "turnstile/siteverify", params("turnstile", "echo")).await;
    assert!(status >= 500 && !answer.to_string().contains(SECRET), "{status} {answer}");
}

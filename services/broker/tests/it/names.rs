//! Whose account it is: what passes of a name service's word, and what of one that does not mean well.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use runtime::Running;
use serde_json::{Value, json};
use testkit::server::{self, Server};

use crate::bench::{ANY, Bench};

const LANDLORD: &str = "DE89370400440532013000";
const ASK: &str = "sandbox-names/check_payee";

fn params(name: &str, iban: &str) -> Value {
    json!({ "iban": iban, "name": name })
}

#[tokio::test]
async fn of_the_services_answer_passes_the_word_and_the_name_of_a_close_match() {
    let bench = Bench::start().await;
    for (name, iban, expected) in [
        ("LANDLORD Limited", LANDLORD, json!({ "word": "match" })),
        ("Landlrd Ltd", LANDLORD, json!({ "word": "close_match", "holder": "Landlord Ltd" })),
        ("Tax Office", LANDLORD, json!({ "word": "no_match" })),
        // With a reason, which is none of our business.
        ("Landlord Ltd", "DE75512108001245126199", json!({ "word": "not_possible" })),
    ] {
        let (status, answer) = bench.call(ASK, params(name, iban)).await;
        assert_eq!((status, &answer["result"]), (200, &expected), "{name}: {answer}");
    }
    assert_eq!(bench.partner.calls().name_checks, 4);
    for wrong in [
        params("Landlord Ltd", "DE89370400440532013001"),
        params(&"x".repeat(71), LANDLORD),
        params("Land\u{202e}lord", LANDLORD),
        json!({ "iban": LANDLORD }),
        json!({ "iban": LANDLORD, "name": "Landlord Ltd", "sort": "1" }),
    ] {
        assert_eq!(bench.call(ASK, wrong.clone()).await.0, 400, "{wrong}");
    }
    // A question of the ledger's, and of nobody else's.
    let auth = server::client(&bench.pki.internal_ca(), Some(&bench.pki.internal("auth"))).unwrap();
    let (status, answer) = bench.call_as(&auth, ASK, json!({ "params": params("x", LANDLORD) })).await;
    assert_eq!((status, &answer["code"]), (404, &json!("broker.operation_unknown")));
    assert_eq!(bench.partner.calls().name_checks, 4);
}

/// Answers as it is told to by the name that it is asked about.
async fn liar(bench: &Bench) -> (Server, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&asked);
    let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
        let heard = Arc::clone(&heard);
        config.default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
            heard.lock().unwrap().push(request.uri().to_string());
            let bearer = request.headers().get("authorization").unwrap().to_str().unwrap().to_owned();
            async move {
                let name = serde_json::from_slice::<Value>(&body).unwrap()["name"].as_str().unwrap().to_owned();
                answer(&name, &bearer).await
            }
        }));
    });
    (Server::start(ANY, &bench.pki.public("partner"), None, routes).await.unwrap(), asked)
}

const LIES: [&str; 14] = [
    "redirect",
    "slow",
    "fail",
    "text",
    "list",
    "huge name",
    "huge answer",
    "control",
    "turned",
    "unseen",
    "word twice",
    "number",
    "missing",
    "secret",
];

async fn answer(how: &str, bearer: &str) -> HttpResponse {
    let named = |holder: &str| HttpResponse::Ok().json(json!({ "result": "close_match", "account_name": holder }));
    match how {
        "redirect" => HttpResponse::TemporaryRedirect().insert_header(("location", "/elsewhere")).finish(),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            named("Landlord Ltd")
        }
        "fail" => HttpResponse::InternalServerError().json(json!({ "result": "match" })),
        "text" => HttpResponse::Ok().content_type("text/html").body("{\"result\":\"match\"}"),
        "list" => HttpResponse::Ok().json(json!([{ "result": "match" }])),
        "huge name" => named(&"x".repeat(1025)),
        "huge answer" => HttpResponse::Ok().json(json!({ "result": "match", "note": "x".repeat(5000) })),
        "control" => named("Landlord\nLtd"),
        "turned" => named("Landlord \u{202e}dtL"),
        "unseen" => named("Land\u{200b}lord Ltd"),
        "word twice" => {
            HttpResponse::Ok().content_type("application/json").body(r#"{"result":"no_match","result":"match"}"#)
        }
        "number" => HttpResponse::Ok().json(json!({ "result": 1 })),
        "missing" => HttpResponse::Ok().json(json!({ "account_name": "Landlord Ltd" })),
        "secret" => named(bearer.trim_start_matches("Bearer ")),
        _ => HttpResponse::Ok().json(json!({ "result": "match", "account_name": null, "desk": "x" })),
    }
}

/// A service that answers as the name says, at its place, with a secret for it.
async fn lied_to(bench: &Bench) -> (Running, Arc<Mutex<Vec<String>>>, Server) {
    let (server, asked) = liar(bench).await;
    let broker = bench.broker_with("sandbox-names", bench.on_loopback(server.url())).await;
    // The secret is bound to the place; at another one it is sealed anew.
    let place = bench.place("sandbox-names", "api");
    let origin = url::Url::parse(&server.url()).unwrap().origin().ascii_serialization();
    let place = broker::secrets::SecretPlace { origin, ..place };
    bench.seal_at(&place, "the-liars-secret-0123456789").await;
    (broker, asked, server)
}

/// Whoever asks chooses whom it is about, and so what comes back.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_one_account_closes_the_gate_to_no_other() {
    let bench = Bench::start().await;
    let (broker, asked, _server) = lied_to(&bench).await;
    for lie in ["unseen", "turned", "control", "huge name", "huge answer", "number", "missing", "word twice"] {
        for _ in 0..6 {
            let (status, answer) = bench.call_at(&broker, ASK, params(lie, LANDLORD)).await;
            assert!(status >= 500 && answer.get("result").is_none(), "{lie}: {status} {answer}");
        }
        let (status, answer) = bench.call_at(&broker, ASK, params("good", LANDLORD)).await;
        assert_eq!((status, &answer["result"]), (200, &json!({ "word": "match" })), "{lie}: {answer}");
    }
    // What it does is its own.
    let before = asked.lock().unwrap().len();
    for _ in 0..6 {
        bench.call_at(&broker, ASK, params("fail", LANDLORD)).await;
    }
    assert_eq!(asked.lock().unwrap().len() - before, 5, "it was not left alone");
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_lies_has_said_nothing_and_holds_up_no_payout() {
    let bench = Bench::start().await;
    let (broker, asked, _server) = lied_to(&bench).await;
    let (status, answer) = bench.call_at(&broker, ASK, params("good", LANDLORD)).await;
    assert_eq!((status, &answer["result"]), (200, &json!({ "word": "match" })), "{answer}");
    for lie in LIES {
        let before = asked.lock().unwrap().len();
        let (status, answer) = bench.call_at(&broker, ASK, params(lie, LANDLORD)).await;
        assert!(status >= 500 && answer.get("result").is_none(), "{lie}: {status} {answer}");
        let (status, answer) = bench.call_at(&broker, ASK, params(lie, LANDLORD)).await;
        assert!(status >= 500 && answer.get("result").is_none(), "{lie}: {status} {answer}");
        assert!(asked.lock().unwrap().len() > before, "{lie}: it was not asked at all");
        // The bank has a gate of its own: a payout that nobody knows is an answer of the bank's.
        let payout = json!({ "payout_id": "01890a5d-ac96-774b-bcce-b302099a8057" });
        let (_, standing) = bench.call_at(&broker, "sandbox-bank/payout_status", payout).await;
        assert_eq!(standing["code"], "broker.upstream_refused", "{lie}: {standing}");
        bench.clock.advance(1000);
    }
    assert!(asked.lock().unwrap().iter().all(|target| target == "/v1/name-checks"), "a redirect was followed");
    broker.stop().await.unwrap();
}

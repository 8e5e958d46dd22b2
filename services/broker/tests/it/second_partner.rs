//! A second partner by a manifest alone: its fields, its operations and its events have other names than the first one's.

use std::sync::{Arc, Mutex};

use actix_web::{HttpRequest, HttpResponse, web};
use broker::Broker;
use broker::config::Config;
use runtime::Clock;
use serde_json::{Value, json};
use testkit::partner::webhook::sign;
use testkit::server::{self, Server};

use crate::bench::Bench;

const PAYOUT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const WHSEC: &str = "whsec_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA=";
const MANIFEST: &str = include_str!("manifests/nordbank.toml");

/// One request to the bank: method and target, the headers that matter, the body.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    line: String,
    authorization: Option<String>,
    key: Option<String>,
    body: Value,
}

/// The bank, and the broker that learned of it from a file.
struct Nordbank {
    bench: Bench,
    asked: Arc<Mutex<Vec<Asked>>>,
    _server: Server,
}

impl Nordbank {
    async fn start() -> Self {
        let mut bench = Bench::start().await;
        let (server, asked) = bank(&bench).await;
        bench.config = with_manifest(&bench, &server, MANIFEST);
        let clock = Arc::clone(&bench.clock) as Arc<dyn Clock>;
        let next = runtime::start::<Broker>(bench.config.clone(), clock).await.unwrap();
        std::mem::replace(&mut bench.broker, next).stop().await.unwrap();
        bench.seal("nordbank", "token", "nordbank-bearer-secret").await;
        bench.seal("nordbank", "webhook", WHSEC).await;
        Self { bench, asked, _server: server }
    }

    async fn tell(&self, id: &str, body: &Value) -> u16 {
        let (now, body) = (self.bench.clock.unix(), serde_json::to_vec(body).unwrap());
        let signature = sign(WHSEC, id, now, &body).unwrap();
        let now = now.to_string();
        let headers = [("webhook-id", id), ("webhook-timestamp", &*now), ("webhook-signature", &*signature)];
        self.bench.webhook("nordbank", &headers, &body).await
    }
}

/// The test's configuration with one more manifest file and its provider.
fn with_manifest(bench: &Bench, server: &Server, manifest: &str) -> Config {
    let file = bench.pki.dir().join("nordbank.toml");
    std::fs::write(&file, manifest).unwrap();
    let mut config = bench.config.clone();
    config.manifests.push(file);
    config.providers.insert("nordbank".into(), bench.on_loopback(format!("{}/open", server.url())));
    config
}

async fn bank(bench: &Bench) -> (Server, Arc<Mutex<Vec<Asked>>>) {
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let heard = Arc::clone(&asked);
    let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
        let heard = Arc::clone(&heard);
        config.default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
            let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            // A GET has no body.
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            heard.lock().unwrap().push(Asked {
                line: format!("{} {}", request.method(), request.uri()),
                authorization: header("authorization"),
                key: header("x-request-id"),
                body: body.clone(),
            });
            let transfer =
                |state| json!({ "transfer": { "number": "NB-1", "state": state, "desk": "7" }, "id": "not-this" });
            let answer = match (request.method().as_str(), body["order"]["to"]["holder"].as_str()) {
                ("GET", _) => HttpResponse::Ok().json(transfer("SETTLED")),
                (_, Some("Nobody")) => HttpResponse::BadRequest().json(json!({ "fault": "CREDITOR_UNKNOWN" })),
                _ => HttpResponse::Accepted().json(transfer("QUEUED")),
            };
            std::future::ready(answer)
        }));
    });
    (Server::start(crate::bench::ANY, &bench.pki.public("partner"), None, routes).await.unwrap(), asked)
}

/// What the ledger says, whoever the partner is.
fn order(creditor: &str) -> Value {
    json!({ "payout_id": PAYOUT, "amount": "12.50", "currency": "EUR", "creditor_iban": "AT611904300234573201",
        "creditor_name": creditor, "reference": "invoice 7" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_goes_out_in_the_words_of_a_second_partner() {
    let nordbank = Nordbank::start().await;
    let sent = nordbank.bench.call_with_key("nordbank/send_transfer", order("Carol"), PAYOUT).await;
    assert_eq!(sent, (200, json!({ "result": { "id": "NB-1" } })), "its number is our id, and nothing else passes");
    let standing = nordbank.bench.call("nordbank/find_transfer", json!({ "payout_id": PAYOUT })).await;
    assert_eq!(standing, (200, json!({ "result": { "id": "NB-1", "outcome": "paid" } })));
    let (status, refused) = nordbank.bench.call_with_key("nordbank/send_transfer", order("Nobody"), PAYOUT).await;
    assert_eq!((status, &refused["code"]), (422, &json!("broker.upstream_refused")));
    let asked = nordbank.asked.lock().unwrap().clone();
    let order = |holder| {
        let to = json!({ "account": "AT611904300234573201", "holder": holder });
        json!({ "client_ref": PAYOUT, "order": { "value": "12.50", "ccy": "EUR", "to": to }, "remittance": "invoice 7" })
    };
    let bearer = Some("Bearer nordbank-bearer-secret".to_owned());
    let transfer = |holder| Asked {
        line: "POST /open/payments/transfers".to_owned(),
        authorization: bearer.clone(),
        key: Some(format!("ledger:{PAYOUT}")),
        body: order(holder),
    };
    let question = Asked {
        line: format!("GET /open/payments/by-reference?ref={PAYOUT}"),
        authorization: bearer.clone(),
        key: None,
        body: Value::Null,
    };
    assert_eq!(asked, [transfer("Carol"), question, transfer("Nobody")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_of_a_second_partner_means_what_its_manifest_says() {
    let nordbank = Nordbank::start().await;
    let bench = &nordbank.bench;
    let transfer = json!({ "client_ref": PAYOUT, "number": "NB-1" });
    let credit = json!({ "account": PAYOUT, "value": "250.00", "ccy": "EUR" });
    for (id, event) in [
        ("e-1", json!({ "event": { "name": "TRANSFER_SETTLED" }, "transfer": transfer })),
        ("e-2", json!({ "event": { "name": "TRANSFER_DECLINED" }, "transfer": transfer })),
        (
            "e-3",
            json!({ "event": { "name": "FUNDS_IN" }, "credit": credit, "from": { "holder": "Carol", "note": "rent" } }),
        ),
        ("e-4", json!({ "event": { "name": "FUNDS_IN" }, "credit": credit, "from": { "holder": "Carol" } })),
        // Asks nothing; not of the agreed form; of a kind that nobody agreed on; in the first partner's words.
        ("e-5", json!({ "event": { "name": "STATEMENT_READY" } })),
        ("e-6", json!({ "event": { "name": "FUNDS_IN" }, "credit": { "account": PAYOUT, "value": 250 } })),
        ("e-7", json!({ "event": { "name": "funds.out" }, "credit": credit })),
        ("e-8", json!({ "type": "payout.paid", "data": { "payout_id": PAYOUT } })),
    ] {
        assert_eq!(nordbank.tell(id, &event).await, 202, "{id}");
    }
    bench.until("webhook_inbox where state = 'delivered'", 4).await;
    bench.until("webhook_inbox where state = 'rejected' and body is not null", 3).await;
    assert_eq!(bench.count("webhook_inbox where state = 'ignored' and event_id = 'e-5' and body is null").await, 1);
    let mut requests: Vec<(String, Value)> =
        bench.ledger.requests().into_iter().map(|request| (request.path, request.body)).collect();
    requests.sort_by_key(|(_, body)| body["event_id"].to_string());
    let outcome = |event_id, status| {
        let body = json!({ "provider": "nordbank", "event_id": event_id, "payout_id": PAYOUT, "status": status });
        ("/internal/v1/payout-events".to_owned(), body)
    };
    let deposit = |event_id, reference| {
        let body = json!({ "provider": "nordbank", "event_id": event_id, "account_id": PAYOUT, "amount": "250.00",
            "currency": "EUR", "debtor_name": "Carol", "reference": reference });
        ("/internal/v1/deposits".to_owned(), body)
    };
    assert_eq!(
        requests,
        [outcome("e-1", "paid"), outcome("e-2", "failed"), deposit("e-3", "rent"), deposit("e-4", "")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_while_its_provider_is_not_served() {
    let mut nordbank = Nordbank::start().await;
    nordbank.bench.ledger.answer.store(503, std::sync::atomic::Ordering::SeqCst);
    let event = json!({ "event": { "name": "TRANSFER_SETTLED" }, "transfer": { "client_ref": PAYOUT } });
    assert_eq!(nordbank.tell("e-1", &event).await, 202);
    nordbank.bench.until("webhook_inbox where state = 'pending' and last_error like '503%'", 1).await;
    let (served, mut without) = (nordbank.bench.config.clone(), nordbank.bench.config.clone());
    without.providers.remove(&"nordbank".into());
    for (config, expected) in [
        (without, "webhook_inbox where state = 'pending' and last_error like '%does not serve%'"),
        (served, "webhook_inbox where state = 'delivered'"),
    ] {
        let bench = &mut nordbank.bench;
        let next = runtime::start::<Broker>(config, Arc::clone(&bench.clock) as Arc<dyn Clock>).await.unwrap();
        std::mem::replace(&mut bench.broker, next).stop().await.unwrap();
        bench.ledger.answer.store(200, std::sync::atomic::Ordering::SeqCst);
        bench.until_in_time(expected, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_a_broken_or_doubled_manifest_does_not_start_and_names_the_file_and_the_field() {
    let bench = Bench::start().await;
    let (server, _) = bank(&bench).await;
    let broken = MANIFEST.replace("fields.amount = \"credit.value\"\n", "");
    let mut doubled = with_manifest(&bench, &server, MANIFEST);
    doubled.manifests.push(bench.pki.dir().join("again.toml"));
    std::fs::write(bench.pki.dir().join("again.toml"), MANIFEST).unwrap();
    let start = async |config| {
        let started = runtime::start::<Broker>(config, Arc::clone(&bench.clock) as Arc<dyn Clock>).await;
        format!("{:#}", started.err().unwrap())
    };
    let error = start(doubled).await;
    assert!(error.contains("nordbank.toml and ") && error.contains("again.toml describe one provider"), "{error}");
    let error = start(with_manifest(&bench, &server, &broken)).await;
    for part in ["nordbank.toml", "webhook.events.\"FUNDS_IN\".fields.amount: is missing"] {
        assert!(error.contains(part), "{error}");
    }
}

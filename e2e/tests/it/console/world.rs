//! A system of stand-ins that the console shows: real TLS, a real collector, logs as services write them. One service is ready, one goes on without
//! something, one is not ready, and one never answers.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crypto::p256::SigningKey;
use e2e::console::Console;
use e2e::stack::{Service, Stack};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use testkit::collector::{self, Collector, Span};
use testkit::pages::{self, Asked, Making, Page};
use testkit::pki::Pki;
use testkit::server::{self, FREE, Server};

/// Of a payment, which passed.
pub(crate) const PAID: &str = "01a21cb7-f668-76e4-b03f-31aac781bf30";
/// Of one that was refused.
pub(crate) const REFUSED: &str = "01a21cb7-f8cc-7cc4-a09d-c133c3defa22";
/// Of one whose receipt somebody else has signed.
pub(crate) const FORGED: &str = "01a21cb7-aaaa-7cc4-a09d-c133c3defa22";
/// Of one that the edge refused.
pub(crate) const AT_THE_EDGE: &str = "69e3b5ef8f9f90da4b180a664f625a42";
pub(crate) const TRACE: &str = "6d0bb227f881425a7fd8bf9a0fc34401";
/// What a client may send.
pub(crate) const MARKUP: &str = "<script>alert('x')</script>\"><img src=x>";

pub(crate) struct World {
    pub(crate) console: Server,
    pub(crate) http: reqwest::Client,
    collector: Option<Collector>,
    folder: PathBuf,
    _services: Vec<Server>,
}

/// How many there are of each kind where the lists are long.
pub(crate) const CROWD: usize = 60;

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(0).await
    }

    /// One with [`CROWD`] requests, traces that post, and refusals by one layer.
    pub(crate) async fn crowded() -> Self {
        Self::with(CROWD).await
    }

    async fn with(crowd: usize) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("console-{}", crypto::random::token(9)));
        std::fs::create_dir(&folder).unwrap();
        let pki = Pki::create(&folder.join("pki")).unwrap();
        let collector = collector::serve(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        spans(&collector, crowd);
        write_logs(&folder, crowd);
        let (mut described, mut running) = (Vec::new(), Vec::new());
        for name in ["auth", "attestation", "ledger", "broker"] {
            let service = pages::serve(FREE, &pki.internal(name), "", maker(name, &pki)).await.unwrap();
            let internal_url = service.url();
            // One that the world does not reach.
            let public_url = (name != "attestation").then(|| internal_url.clone());
            described.push(Service { name: name.to_owned(), public_url, internal_url });
            running.push(service);
        }
        let mut stack: Stack = crate::report::stack(folder.clone());
        stack.pki = folder.join("pki");
        stack.collector_url = collector.url();
        stack.ledger_internal_url.clone_from(&described[2].internal_url);
        stack.services = described;
        stack.edge = true;
        let console = Console::of(stack, true).unwrap().serve(FREE).await.unwrap();
        let http = server::client(&pki.public_ca(), None).unwrap();
        Self { console, http, collector: Some(collector), folder, _services: running }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.console.url())).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The page, of which there is one.
    pub(crate) async fn page(&self, path: &str) -> String {
        let (status, html) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {html}");
        html
    }

    pub(crate) fn lose_the_collector(&mut self) {
        self.collector = None;
    }

    pub(crate) fn lose_a_log(&self) {
        std::fs::remove_file(self.folder.join("broker.log")).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn maker(name: &'static str, pki: &Pki) -> pages::Maker {
    let (good, forged) = (receipt(pki, "ledger", PAID), receipt(pki, "broker", FORGED));
    Arc::new(move |asked: Asked| -> Making {
        let (good, forged) = (good.clone(), forged.clone());
        Box::pin(async move {
            let (status, body) = match (name, asked.path.as_str()) {
                ("auth", "/health/ready") => (200, json!({"status": "ready"}).to_string()),
                ("attestation", "/health/ready") => std::future::pending().await,
                ("broker", "/health/ready") => {
                    (200, json!({"status": "degraded", "missing": ["the shared store is away"]}).to_string())
                }
                ("ledger", "/health/ready") => {
                    let detail = "the database: connection refused";
                    (503, json!({"title": "Busy", "status": 503, "detail": detail}).to_string())
                }
                ("ledger", "/internal/v1/invariants") => (200, books().to_string()),
                (_, path) if path.ends_with(PAID) => (200, good),
                (_, path) if path.ends_with(FORGED) => (200, forged),
                _ => (404, json!({"title": "There is nothing here", "status": 404}).to_string()),
            };
            Page { status, html: body, again: None }
        })
    })
}

fn books() -> Value {
    json!({"hold": false, "unbalanced_currencies": 3, "unequal_accounts": 0, "gapped_accounts": 0, "unequal_clearings": 0,
        "transfers_without_entries": 0, "transfers_unlike_entries": 0, "checked_transfers": 7, "accounts": 2, "transfers": 9, "entries": 18})
}

/// As a service signs it.
fn receipt(pki: &Pki, signer: &str, request_id: &str) -> String {
    let layer = |layer: &str, said: &str, micros: u64| json!({"layer": layer, "said": said, "micros": micros, "saw": {"subject": MARKUP}});
    let layers = [layer("host", "pass", 56), layer("api_key", "pass", 69), layer("waf", "pass", 131)];
    let receipt = json!({"request_id": request_id, "trace_id": TRACE, "route": "/v1/transfers", "method": "POST", "policy": "money",
        "status": 201, "made": "01a21cb7-f66a-7fd7-bb58-8d767c609dd9", "layers": layers});
    let identity = pki.internal(signer);
    let certificate = STANDARD.encode(CertificateDer::from_pem_file(&identity.certificate).unwrap());
    let header = json!({"alg": "ES256", "x5c": [certificate]});
    let claimed = [header, json!({"iss": signer, "receipt": receipt})]
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let signature = SigningKey::from_pkcs8(key.secret_der()).unwrap().sign(claimed.as_bytes());
    format!("{claimed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Of one in the crowd.
fn request_id(at: usize) -> String {
    format!("01a21cc0-{at:04x}-7cc4-a09d-c133c3defa22")
}

fn spans(collector: &Collector, crowd: usize) {
    let span = |service: &str, name: &str, id: u64, parent: Option<u64>, millis: u64, attributes: Value| Span {
        service: service.to_owned(),
        name: name.to_owned(),
        kind: "server".to_owned(),
        span_id: format!("{id:016x}"),
        parent: parent.map(|parent| format!("{parent:016x}")),
        start_ns: 1_795_778_147_000_000_000 + id,
        end_ns: 1_795_778_147_000_000_000 + millis * 1_000_000,
        error: false,
        attributes: attributes.as_object().unwrap().clone(),
        events: Vec::new(),
    };
    let decisions = "host=pass api_key=pass client_version=pass rate_limit=pass attestation=pass message_signature=pass access_token=pass waf=pass authorization=pass";
    let paid = json!({"request_id": PAID, "redoubt.decisions": decisions, "redoubt.listener": "public",
        "http.response.status_code": "201", "user_agent.original": "dev.redoubt.app/1.0.0 (android 1)"});
    collector.keep(TRACE, span("ledger", "POST /v1/transfers", 1, None, 50, paid));
    let long = format!("{} {MARKUP}", "01a219dd-5da3-7fc9-9ee9-bc3086d4dca3/".repeat(3));
    collector.keep(
        TRACE,
        span(
            "ledger",
            "db.posting.batch",
            2,
            Some(1),
            40,
            json!({"db.query.text": long, "http.response.status_code": 402}),
        ),
    );
    let other = json!({"redoubt.listener": "public", "http.response.status_code": "503"});
    collector.keep(&"b".repeat(32), span("broker", &format!("POST /webhooks/{MARKUP}"), 1, None, 5, other));
    collector.keep(&"c".repeat(32), span("broker", "db.webhooks.claim", 1, None, 1, json!({})));
    for at in 1..crowd {
        let attributes = json!({"request_id": request_id(at), "redoubt.decisions": decisions, "redoubt.listener": "public",
            "http.response.status_code": "403", "user_agent.original": "dev.redoubt.app/1.0.0 (android 1)"});
        let (first, trace_id) = (at as u64 * 10, format!("{:032x}", 0xf000 + at));
        collector.keep(&trace_id, span("ledger", "POST /v1/transfers", first, None, 9, attributes));
        collector.keep(&trace_id, span("ledger", "db.posting.batch", first + 1, Some(first), 8, json!({})));
        collector.keep(&trace_id, span("broker", "POST /internal/v1/operations", first + 2, Some(first), 7, json!({})));
    }
}

fn write_logs(folder: &Path, crowd: usize) {
    let http = |time: &str, route: &str, status: u16, id: &str, trace: &str| {
        json!({"timestamp": time, "level": "INFO", "target": "http", "service": "ledger", "message": "request", "method": "POST", "route": route,
            "status": status, "milliseconds": 1.5, "request_id": id, "trace_id": trace})
    };
    let audit = |time: &str, id: Option<&str>, layer: &str, outcome: &str, reason: &str| {
        json!({"timestamp": time, "level": "INFO", "target": "audit", "service": "ledger", "event": outcome, "outcome": outcome, "layer": layer,
            "reason": reason, "alarm": true, "support_id": "okQY5ZQFyi0jKXqoKj8f2A", "network.peer.address": "127.0.0.9",
            "user_agent.original": MARKUP, "request_id": id, "trace_id": "d".repeat(32)})
    };
    let mut ledger = vec![
        audit("2026-11-27T11:15:40.000001Z", None, "access_token", "challenged", "nonce_missing"),
        audit("2026-11-27T11:15:41.000001Z", None, "access_token", "challenged", "nonce_missing"),
        audit("2026-11-27T11:15:42.000001Z", None, "access_token", "challenged", "nonce_stale"),
        http("2026-11-27T11:15:48.000001Z", "/v1/transfers", 201, PAID, TRACE),
        audit("2026-11-27T11:15:49.000001Z", Some(REFUSED), "message_signature", "refused", "digest_mismatch"),
        http("2026-11-27T11:15:49.000002Z", &format!("/v1/{MARKUP}"), 401, REFUSED, &"d".repeat(32)),
        audit("2026-11-27T11:15:50.000001Z", None, "transport", "refused", "no_http"),
        audit("2026-11-27T11:15:47.000001Z", None, "evidence", "genuine", "a_word_that_no_refusal_has"),
        http("2026-11-27T11:15:51.000001Z", "/v1/forged", 200, FORGED, TRACE),
        http(
            "2026-11-27T11:15:52.000001Z",
            "/internal/v1/invariants",
            200,
            "01a21cb7-0000-7cc4-a09d-c133c3defa22",
            TRACE,
        ),
    ];
    for at in 0..crowd {
        let (time, id) = (format!("2026-11-27T11:{:02}:00.000001Z", at % 15), request_id(at));
        ledger.push(audit(&time, Some(&id), "waf", "refused", "looks_like_sql"));
        // With those of before, as many as there are of the others.
        if at >= 4 {
            ledger.push(http(&time, "/v1/accounts/{id}/entries", 400, &id, &format!("{:032x}", 0xf000 + at)));
        }
    }
    let lines: Vec<String> = ledger.iter().map(Value::to_string).collect();
    // The last one is being written.
    std::fs::write(folder.join("ledger.log"), format!("{}\n{{\"target\":\"http\",\"stat", lines.join("\n"))).unwrap();
    let edge = json!({"time": "2026-11-27T11:15:53+00:00", "edge_request_id": AT_THE_EDGE, "request_id": "", "method": "POST",
        "uri": format!("/v1/{MARKUP}"), "status": 403, "upstream_status": "", "waf_score": "0", "client": "127.0.0.7", "server_port": "7203"});
    std::fs::write(folder.join("edge-access.log"), format!("{edge}\n")).unwrap();
    let rule = format!("ModSecurity: Access denied [id \"942100\"] [unique_id \"{AT_THE_EDGE}\"] [ref \"\"]\n");
    std::fs::write(folder.join("edge.log"), rule).unwrap();
    for service in ["auth", "attestation", "broker"] {
        std::fs::write(folder.join(format!("{service}.log")), "").unwrap();
    }
}

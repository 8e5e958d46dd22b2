//! The report of the demonstration as people see it: on a phone and on a desk, by day and by night, by touch and by keyboard; and `axe` finds no fault with
//! it. Without Chromium, npm or node the test says so, as in `drivers.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use e2e::narrator::{Attack, Evidence, Narrator, Step};
use e2e::operator::Operator;
use e2e::report;
use e2e::stack::{Stack, StartupStep};
use e2e::trace::{Expected, Span, Trace};
use serde_json::{Value, json};

use crate::drivers::judged_by_axe;

/// Longer than what the story tells, with the words that have no place to break.
const LONG: &str = "01a219dd-5da3-7fc9-9ee9-bc3086d4dca3 and https://localhost:28103/internal/v1/invariants are told of at some length, as in a result";

pub(crate) fn stack(logs: PathBuf) -> Stack {
    let step = |name: &str, millis| StartupStep { name: name.to_owned(), millis };
    let url = || "https://localhost:7001".to_owned();
    Stack {
        auth_url: url(),
        attestation_url: url(),
        ledger_url: url(),
        broker_url: url(),
        edge: false,
        places: true,
        ledger_direct_url: url(),
        ledger_internal_url: url(),
        broker_internal_url: url(),
        services: Vec::new(),
        partner_url: url(),
        partner_port: 7010,
        webhook_url: url(),
        collector_url: url(),
        pki: PathBuf::new(),
        logs,
        report: PathBuf::new(),
        postgres: "a private cluster of PostgreSQL 15.18 in /usr/lib/postgresql/15/bin, TLS only (system)".to_owned(),
        startup: vec![step("built", 12_345), step("databases migrated, the partner's secrets sealed", 412)],
    }
}

/// As deep as traces are, with a span of each color.
fn trace(id: &str) -> Trace {
    let services = ["phone", "operator", "auth", "attestation", "ledger", "broker", "somebody", "ledger"];
    let spans = services.iter().enumerate().map(|(at, service)| Span {
        service: (*service).to_owned(),
        name: format!("{service} POST /internal/v1/operations/{{provider}}/{{operation}}"),
        kind: "server".to_owned(),
        span_id: format!("{at:016x}"),
        parent: at.checked_sub(1).map(|parent| format!("{parent:016x}")),
        start_ns: 1_000_000 * u64::try_from(at).unwrap(),
        end_ns: 20_000_000,
        attributes: BTreeMap::from([
            ("http.response.status_code".to_owned(), json!(200)),
            ("db.query.text".to_owned(), json!(format!("select {LONG}"))),
        ]),
    });
    Trace { id: id.to_owned(), spans: spans.collect() }
}

fn step(chapter: &str) -> Step {
    Step {
        chapter: chapter.to_owned(),
        title: "The same payment is sent again, with the same idempotency key, and nothing moves".to_owned(),
        asked: format!("POST /v1/payouts → {LONG}"),
        checked: ["attestation", "message signature", "access token and DPoP", LONG].map(str::to_owned).to_vec(),
        outcome: LONG.to_owned(),
        start_ms: 10.0,
        millis: 123.4,
        trace: Expected { id: "0123456789abcdef0123456789abcdef".to_owned(), root: None, edges: &[] },
    }
}

/// The page, with every kind of thing that it may have; written to a folder of this test's own.
async fn page(folder: &Path) -> PathBuf {
    let line = json!({"target": "audit", "request_id": "r", "layer": "message_signature", "reason": "digest_mismatch_and_a_long_word_after_it"});
    std::fs::write(folder.join("ledger.log"), format!("{line}\n")).unwrap();
    let refusal = Operator::new(folder.to_owned()).refusal("ledger", "r").await.unwrap();
    let attack = |evidence| Attack {
        number: 31,
        title: "A webhook that gives Alice a million, with a made-up signature".to_owned(),
        seen: "401 auth.unauthorized".to_owned(),
        layer: refusal.layer.clone(),
        evidence,
        millis: 1.0,
    };
    let mut narrator = Narrator::on(Box::new(std::io::sink()), false);
    narrator.steps = vec![step("Who and what"), step("Who and what"), step("Money")];
    narrator.attacks = vec![attack(Evidence::Log(refusal.line.clone())), attack(Evidence::Seen(LONG.to_owned()))];
    let layers = [("api_key", "pass"), ("message_signature", "refuse")].map(|(layer, said)| {
        json!({"layer": layer, "said": said, "reason": "a_reason", "micros": 12, "saw": {"key": LONG, "jkt": "x".repeat(43)}})
    });
    let receipt = json!({"request_id": LONG, "trace_id": null, "route": "/v1/payouts", "method": "POST", "policy": "money", "status": 201,
        "made": LONG, "layers": layers});
    let traces = ["1", "2", "3"].map(trace);
    let receipt = serde_json::from_value(receipt).unwrap();
    let html = report::render(&stack(folder.to_owned()), &narrator, &traces, &receipt).unwrap();
    let file = folder.join("report.html");
    std::fs::write(&file, html).unwrap();
    file
}

#[tokio::test]
async fn the_report_fits_a_phone_and_a_desk_by_day_and_night_and_shuts_nobody_out() {
    let Some(mut script) = judged_by_axe(include_str!("report.mjs")).await else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{}", crypto::random::token(9)));
    std::fs::create_dir(&folder).unwrap();
    script.tell(&format!("file://{}", page(&folder).await.display())).await;
    let mut inks = Vec::new();
    for (scheme, width) in [("light", 390), ("light", 1280), ("dark", 390), ("dark", 1280)] {
        let found: Value = script.told("found").await;
        let fits = json!({ "width": width, "violations": [] });
        for state in ["closed", "opened"] {
            assert_eq!(found[state], fits, "{scheme}, {width}, {state}");
        }
        // What is known of a span is there for who asks, by touch and by keyboard, and only then.
        assert_eq!((&found["before"], &found["after"]), (&json!(false), &json!(true)), "{scheme}, {width}: {found}");
        assert_eq!(found["foreign"], json!([]), "the page asks nobody for anything");
        inks.push(found["inks"].clone());
    }
    script.ended().await;
    assert!(
        inks[0] == inks[1] && inks[2] == inks[3] && inks[0][0] != inks[2][0] && inks[0][1] != inks[2][1],
        "{inks:?}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

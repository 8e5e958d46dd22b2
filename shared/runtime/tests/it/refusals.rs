//! Whatever says no is one line in the audit log and one decision in the metrics.

use std::sync::LazyLock;

use actix_web::ResponseError as _;
use reqwest::RequestBuilder;
use runtime::{Problem, Record, Refusal, Who};
use serde_json::{Value, json};

use crate::pki::Pki;
use crate::probe;
use crate::telemetry::{INSTALLED, all_lines};

fn audited(is_ours: impl Fn(&Value) -> bool) -> Vec<Value> {
    let ours = all_lines().into_iter().filter(|line| line["target"] == "audit" && is_ours(line));
    ours.map(|line| json!([line["event"], line["outcome"], line["layer"], line["reason"], line["peer"]])).collect()
}

async fn refused(request: RequestBuilder) -> Vec<Value> {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16() / 100, 4);
    audited(|line| line["request_id"] == answer.headers()["request-id"].to_str().unwrap())
}

#[test]
fn what_an_extractor_refuses_is_one_line_and_one_decision() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let (client, url) = (probe::outside(&pki), |path| probe::url(running.public.unwrap(), path));
        let before = INSTALLED.receiver.decisions("request", "refuse");
        let requests = [
            (client.get(url("/notes/x")), "path_invalid"),
            (client.get(url("/notes?limit=x")), "query_invalid"),
            (client.post(url("/notes")).body("{}"), "body_invalid"),
            (client.post(url("/notes")).header("content-type", "application/json").body("{"), "body_invalid"),
        ];
        let n = requests.len() as u64;
        for (request, reason) in requests {
            assert_eq!(refused(request).await, [json!(["refused", "refused", "request", reason, null])]);
        }
        assert_eq!(refused(client.get(url("/notes/0"))).await, [Value::Null; 0], "a problem without a record");
        assert!(INSTALLED.receiver.decisions_reach("request", "refuse", before + n).await >= before + n);
    });
}

#[test]
fn however_often_a_refusal_is_answered_it_is_written_once() {
    INSTALLED.runtime.block_on(async {
        let who = Who { peer: Some("ledger".to_owned()), ..Who::default() };
        let challenge = Refusal::new("probe", "answered_twice", Problem::not_found()).about(who).challenge();
        let ours = |line: &Value| line["reason"] == "answered_twice";
        assert_eq!(audited(ours), [Value::Null; 0], "nothing is written before");
        assert!((0..2).all(|_| challenge.error_response().status() == 404));
        assert_eq!(audited(ours), [json!(["challenged", "challenged", "probe", "answered_twice", "ledger"])]);
        assert_eq!(INSTALLED.receiver.decisions_reach("probe", "challenge", 1).await, 1);
    });
}

/// Anybody can forge so many tokens that those are not all in the log; an alarm is, and nobody else's is in its way.
#[test]
fn an_alarm_is_in_the_log_whatever_else_is_refused_at_the_same_time() {
    // The log is there before the first line.
    LazyLock::force(&INSTALLED);
    let named = |id: String| Who { claimed_support_id: Some(id), ..Who::default() };
    let lines = |reason: &str| {
        let ours = all_lines().into_iter().filter(|line| line["target"] == "audit" && line["reason"] == reason);
        ours.collect::<Vec<_>>()
    };
    let began = tokio::time::Instant::now();
    let decoys: Vec<_> = (0..20).map(|number| format!("decoy-{number}")).collect();
    for number in 0..3_000 {
        Record::new("alarmed", "forged").about(named(format!("forged-{number}"))).write();
        if number % 150 == 0 {
            // One of them is shown again and again.
            for _ in 0..100 {
                Record::new("alarmed", "decoy_shown").alarm().about(named("decoy-loud".to_owned())).write();
            }
            Record::new("alarmed", "decoy_shown").alarm().about(named(decoys[number / 150].clone())).write();
        }
    }
    let alarms = lines("decoy_shown");
    for decoy in &decoys {
        let told = alarms.iter().filter(|line| line["claimed_support_id"] == decoy.as_str()).collect::<Vec<_>>();
        assert_eq!((told.len(), &told[0]["alarm"]), (1, &json!(true)), "{decoy}");
    }
    let forged = lines("forged");
    assert!(forged.len() < 3_000 && forged.iter().all(|line| line["alarm"].is_null()), "{}", forged.len());
    // Five in each second that began meanwhile; the last ones that were left out are told with the next.
    let loud: Vec<_> = alarms.iter().filter(|line| line["claimed_support_id"] == "decoy-loud").collect();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    assert!((1..=5 * seconds).contains(&loud.len()), "{} in {seconds} s", loud.len());
    let told = |line: &&Value| 1 + line["suppressed"].as_u64().unwrap_or_default();
    assert!(loud.iter().map(told).sum::<u64>() <= 2_000, "{loud:?}");
}

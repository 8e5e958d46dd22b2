//! Webhooks in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use runtime::Clock as _;
use serde_json::{Value, json};
use testkit::partner::{self, Payment};

use crate::bench::{Bench, audited};

const ACCOUNT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A payment that was received, as its provider tells of it.
pub(crate) fn event() -> Vec<u8> {
    let data = json!({ "account_id": ACCOUNT, "amount": "250.00", "currency": "EUR", "debtor_name": "Carol", "reference": "rent" });
    serde_json::to_vec(&json!({ "type": "payment.received", "data": data })).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_at_the_partner_becomes_a_deposit_and_the_message_is_forgotten() {
    let bench = Bench::start().await;
    let payment = Payment {
        account_id: ACCOUNT.to_owned(),
        amount: "250.00".to_owned(),
        currency: "EUR".to_owned(),
        debtor_name: "Carol".to_owned(),
        reference: "rent".to_owned(),
    };
    let (event_id, status) = bench.partner.receive_payment(payment).await.unwrap();
    assert_eq!(status, 202);
    bench.until("webhook_inbox where state = 'delivered' and body is null", 1).await;
    let requests = bench.ledger.requests();
    assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/internal/v1/deposits"));
    let expected = json!({ "provider": "sandbox-bank", "event_id": event_id, "account_id": ACCOUNT, "amount": "250.00", "currency": "EUR", "debtor_name": "Carol", "reference": "rent" });
    assert_eq!(requests[0].body, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_begins_a_trace_of_ours_whatever_its_sender_says() {
    let bench = Bench::start().await;
    let (now, body, trace) = (bench.clock.unix(), event(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let signature = partner::webhook::sign(&bench.whsec(), "evt_1", now, &body).unwrap();
    let (now, theirs) = (now.to_string(), format!("00-{trace}-00f067aa0ba902b7-01"));
    let headers = [("webhook-id", "evt_1"), ("webhook-timestamp", &*now), ("webhook-signature", &*signature)];
    let headers = [&headers[..], &[("traceparent", &*theirs)]].concat();
    assert_eq!(bench.webhook("sandbox-bank", &headers, &body).await, 202);
    bench.until("webhook_inbox where state = 'delivered'", 1).await;
    let carried = bench.ledger.requests()[0].traceparent.clone().unwrap();
    assert!(carried.starts_with("00-") && !carried.contains(trace), "{carried}");
    assert_eq!(bench.count(&format!("webhook_inbox where traceparent like '%{trace}%'")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_64_times_at_once_is_one_message() {
    let bench = Arc::new(Bench::start().await);
    let (secret, now) = (bench.whsec(), bench.clock.unix());
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (bench, secret) = (Arc::clone(&bench), secret.clone());
        sending.spawn(async move { bench.signed(&secret, "evt_1", now, &event()).await });
    }
    assert!(sending.join_all().await.into_iter().all(|status| status == 202));
    bench.until("webhook_inbox where state = 'delivered'", 1).await;
    assert_eq!(bench.count("webhook_inbox").await, 1);
    assert_eq!(bench.signed(&secret, "evt_1", now, &event()).await, 202, "also after delivery");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(bench.ledger.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_now_by_the_partner_is_refused_and_leaves_nothing() {
    let bench = Bench::start().await;
    let (secret, now, body) = (bench.whsec(), bench.clock.unix(), event());
    let good = partner::webhook::sign(&secret, "evt_1", now, &body).unwrap();
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(bench.signed(other, "evt_1", now, &body).await, 401, "forged");
    assert_eq!(bench.signed(&secret, "evt_1", now - 301, &body).await, 401, "stale");
    assert_eq!(bench.signed(&secret, "evt_1", now + 301, &body).await, 401, "from the future");
    let time = now.to_string();
    let full = [("webhook-id", "evt_1"), ("webhook-timestamp", &*time), ("webhook-signature", &*good)];
    for missing in 0..3 {
        let mut headers = full.to_vec();
        headers.remove(missing);
        assert_eq!(bench.webhook("sandbox-bank", &headers, &body).await, 401, "without {}", full[missing].0);
        let mut headers = full.to_vec();
        headers.push(full[missing]);
        assert_eq!(bench.webhook("sandbox-bank", &headers, &body).await, 401, "{} twice", full[missing].0);
    }
    let mut changed = body.clone();
    let position = changed.windows(3).position(|part| part == b"250").unwrap();
    changed[position] = b'9';
    assert_eq!(bench.webhook("sandbox-bank", &full, &changed).await, 401, "changed body");
    assert_eq!(bench.webhook("ecb", &full, &body).await, 401, "a provider that sends none");
    assert_eq!(bench.webhook("nobody", &full, &body).await, 401, "no provider");
    assert_eq!(bench.count("webhook_inbox").await, 0);
    assert_eq!(bench.webhook("sandbox-bank", &full, &body).await, 202, "and the genuine one passes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_is_refused_before_it_is_hashed() {
    let bench = Bench::start().await;
    let body = vec![b' '; 20 * 1024 + 1];
    assert_eq!(bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), &body).await, 413);
}

/// Neither status nor connection tells a stranger which providers there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_learn_which_providers_there_are() {
    let bench = Bench::start().await;
    let url = |provider: &str| format!("https://localhost:{}/webhooks/{provider}", bench.broker.public.unwrap().port());
    for length in [0, 1, 20 * 1024, 20 * 1024 + 1] {
        let mut answers = Vec::new();
        for provider in ["sandbox-bank", "ecb", "nobody"] {
            let answer = bench.public.post(url(provider)).body(vec![b' '; length]).send().await.unwrap();
            let names = |name: &&str| !["request-id", "date"].contains(name);
            let mut headers: Vec<String> = answer
                .headers()
                .keys()
                .map(reqwest::header::HeaderName::as_str)
                .filter(names)
                .map(str::to_owned)
                .collect();
            headers.sort();
            answers.push((answer.status(), headers));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{length}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_that_is_only_announced_is_refused_at_once() {
    let bench = Bench::start().await;
    let url = format!("https://localhost:{}/webhooks/sandbox-bank", bench.broker.public.unwrap().port());
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::convert::Infallible>>();
    let request = bench.public.post(url).header("content-length", "4294967296").body(reqwest::Body::wrap_stream(never));
    let answer = tokio::time::timeout(std::time::Duration::from_secs(3), request.send()).await;
    assert_eq!(answer.expect("not only after the time for the body").unwrap().status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_nonsense_is_kept_for_a_person_and_other_events_are_taken_and_dropped() {
    let bench = Bench::start().await;
    let (secret, now) = (bench.whsec(), bench.clock.unix());
    for (id, body) in [("evt_1", "not json"), ("evt_2", "{}"), ("evt_3", "{\"type\":\"a b\",\"data\":{}}")] {
        assert_eq!(bench.signed(&secret, id, now, body.as_bytes()).await, 202, "{body}");
    }
    assert_eq!(
        bench.count("webhook_inbox where state = 'rejected' and kind = 'unreadable' and body is not null").await,
        3
    );
    assert_eq!(bench.signed(&secret, "evt_4", now, b"{\"type\":\"invoice.sent\",\"data\":{}}").await, 202);
    assert_eq!(bench.count("webhook_inbox where state = 'ignored' and body is null").await, 1);
    assert!(bench.ledger.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_payment_that_we_cannot_read_is_kept_for_a_person() {
    let bench = Bench::start().await;
    let (secret, now) = (bench.whsec(), bench.clock.unix());
    let readable = String::from_utf8(event()).unwrap();
    for (id, body) in [
        ("evt_1", "{\"type\":\"payment.received\",\"data\":{\"amount\":1}}".to_owned()),
        ("evt_2", readable.replace(ACCOUNT, "DE89370400440532013000")),
        ("evt_3", readable.replace("\"250.00\"", "250.00")),
    ] {
        assert_eq!(bench.signed(&secret, id, now, body.as_bytes()).await, 202, "{body}");
        let kept = format!(
            "webhook_inbox where event_id = '{id}' and state = 'rejected' and body is not null and last_error like '%agreed form'"
        );
        bench.until(&kept, 1).await;
        // Again, and judged anew: it is still not readable, and stays.
        assert_eq!(bench.signed(&secret, id, now, body.as_bytes()).await, 202);
        bench.until(&format!("{kept} and reopened = 1"), 1).await;
    }
    assert!(bench.ledger.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_comes_again_with_another_message_is_refused() {
    let bench = Bench::start().await;
    let (secret, now) = (bench.whsec(), bench.clock.unix());
    assert_eq!(bench.signed(&secret, "evt_1", now, &event()).await, 202);
    let other = String::from_utf8(event()).unwrap().replace("250.00", "950.00");
    assert_eq!(bench.signed(&secret, "evt_1", now, other.as_bytes()).await, 409);
    assert_eq!(bench.count("webhook_inbox").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_no_calendar_has_ends_the_courier_and_is_not_1970() {
    let mut bench = Bench::start().await;
    bench.clock.advance(9_000_000_000_000);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), bench.broker.failed()).await;
    assert!(ended.is_ok_and(|reason| reason.contains("calendar")), "it goes on, as if nothing were due");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_providers_one_event_id_two_messages() {
    let bench = Bench::start().await;
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    bench.seal("outside", "webhook", other).await;
    let (secret, now) = (bench.whsec(), bench.clock.unix());
    assert_eq!(bench.signed(&secret, "evt_1", now, &event()).await, 202);
    let signature = partner::webhook::sign(other, "evt_1", now, &event()).unwrap();
    let time = now.to_string();
    let headers = [("webhook-id", "evt_1"), ("webhook-timestamp", &*time), ("webhook-signature", &*signature)];
    assert_eq!(bench.webhook("outside", &headers, &event()).await, 202);
    bench.until("webhook_inbox where state = 'delivered'", 2).await;
    // This provider's manifest lists payments only: what else may be about money is not acted on, and not lost.
    let returned = format!("{{\"type\":\"payout.returned\",\"data\":{{\"payout_id\":\"{ACCOUNT}\"}}}}");
    let signature = partner::webhook::sign(other, "evt_2", now, returned.as_bytes()).unwrap();
    let headers = [("webhook-id", "evt_2"), ("webhook-timestamp", &*time), ("webhook-signature", &*signature)];
    assert_eq!(bench.webhook("outside", &headers, returned.as_bytes()).await, 202);
    assert_eq!(
        bench.count("webhook_inbox where event_id = 'evt_2' and state = 'rejected' and body is not null").await,
        1
    );
    let mut providers: Vec<_> =
        bench.ledger.requests().iter().map(|request| request.body["provider"].to_string()).collect();
    providers.sort();
    assert_eq!(providers, ["\"outside\"", "\"sandbox-bank\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_ends_leaves_the_message_to_the_next_one() {
    let mut bench = Bench::start().await;
    bench.ledger.answer.store(503, Ordering::SeqCst);
    assert_eq!(bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), &event()).await, 202);
    bench.until("webhook_inbox where attempts = 1 and last_error is not null", 1).await;
    let clock = Arc::clone(&bench.clock) as Arc<dyn runtime::Clock>;
    let next = runtime::start::<broker::Broker>(bench.config.clone(), clock).await.unwrap();
    std::mem::replace(&mut bench.broker, next).stop().await.unwrap();
    bench.ledger.answer.store(200, Ordering::SeqCst);
    bench.until_in_time("webhook_inbox where state = 'delivered'", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_live_secrets_verify_and_a_retired_one_does_not() {
    let bench = Bench::start().await;
    let (old, now) = (bench.whsec(), bench.clock.unix());
    let new = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(bench.signed(&old, "evt_1", now, &event()).await, 202);
    bench.seal("sandbox-bank", "webhook", new).await;
    bench.clock.advance(2);
    assert_eq!(bench.signed(new, "evt_2", now, &event()).await, 202, "noticed at once, not after the cache's time");
    assert_eq!(bench.signed(&old, "evt_3", now, &event()).await, 202);
    bench.seal("sandbox-bank", "webhook", "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=").await;
    bench.clock.advance(31);
    assert_eq!(bench.signed(&old, "evt_4", bench.clock.unix(), &event()).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_message_can_be_cleared_but_never_changed_or_reopened() {
    use diesel_async::SimpleAsyncConnection as _;
    let bench = Bench::start().await;
    bench.ledger.answer.store(503, Ordering::SeqCst);
    assert_eq!(bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), &event()).await, 202);
    let app = storage::pool(&bench.database.app_url.clone().into(), 1).unwrap();
    let run = |statement: &'static str| {
        let app = &app;
        async move { storage::connection(app).await.unwrap().batch_execute(statement).await }
    };
    assert!(run("update webhook_inbox set body = '\\x7b7d'").await.is_err());
    bench.ledger.answer.store(200, Ordering::SeqCst);
    bench.until_in_time("webhook_inbox where state = 'delivered'", 1).await;
    assert!(run("update webhook_inbox set state = 'pending', body = '\\x7b7d', settled_at = null").await.is_err());
    // A rejected one goes back to the queue and nowhere else, and each time is counted.
    bench.ledger.refuse(422, "idempotency.key_reused", None);
    assert_eq!(bench.signed(&bench.whsec(), "evt_2", bench.clock.unix(), &event()).await, 202);
    bench.until("webhook_inbox where state = 'rejected'", 1).await;
    for change in [
        "state = 'delivered', body = null",
        "state = 'ignored', body = null",
        "state = 'pending', settled_at = null",
        "state = 'pending', settled_at = null, reopened = reopened + 2",
        "reopened = reopened + 1",
        "body = null",
    ] {
        let statement: &'static str =
            Box::leak(format!("update webhook_inbox set {change} where state = 'rejected'").into_boxed_str());
        assert!(run(statement).await.is_err(), "{change}");
    }
    assert!(run("delete from webhook_inbox").await.is_err());
    bench.sql("delete from webhook_inbox where state = 'rejected'").await;
    run("select webhook_inbox_purge(now() + interval '1 day')").await.unwrap();
    assert_eq!(bench.count("webhook_inbox").await, 1, "too young to be deleted, whatever the service says");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_problem_that_says_nothing_and_one_audit_line() {
    let bench = Bench::start().await;
    let url = format!("https://localhost:{}/webhooks/sandbox-bank", bench.broker.public.unwrap().port());
    let answer = bench.public.post(url).header("webhook-id", "evt_1").body("{}").send().await.unwrap();
    let request_id = answer.headers()["request-id"].to_str().unwrap().to_owned();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((problem["code"].as_str(), problem["detail"].as_str()), (Some("broker.webhook_refused"), None));
    assert_eq!(audited(&request_id), [json!(["webhook_signature", "headers_missing_or_doubled", null])]);
}

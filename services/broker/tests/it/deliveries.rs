//! Webhooks on: how the ledger is told, and what of its answers is final.

use std::sync::atomic::Ordering;

use runtime::Clock as _;
use serde_json::json;

use crate::bench::Bench;
use crate::webhooks::event;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_cannot_take_now_it_gets_later() {
    let bench = Bench::start().await;
    bench.ledger.answer.store(503, Ordering::SeqCst);
    assert_eq!(
        bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), &event()).await,
        202,
        "acknowledged all the same"
    );
    bench.until("webhook_inbox where attempts = 1 and last_error like '503%'", 1).await;
    bench.ledger.answer.store(200, Ordering::SeqCst);
    bench.clock.advance(1);
    bench.until("webhook_inbox where state = 'delivered' and attempts = 2", 1).await;
    let requests = bench.ledger.requests();
    assert_eq!(requests[0].body["event_id"], requests[1].body["event_id"], "under the same key");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_refuses_is_kept_for_a_person() {
    let bench = Bench::start().await;
    bench.ledger.refuse(422, "idempotency.key_reused", None);
    assert_eq!(bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), &event()).await, 202);
    bench.until("webhook_inbox where state = 'rejected' and body is not null", 1).await;
    bench.clock.advance(3600);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(bench.ledger.requests().len(), 1, "not tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_ledger_says_in_so_many_words_is_final() {
    let bench = Bench::start().await;
    assert_eq!(bench.signed(&bench.whsec(), "evt_1", bench.clock.unix(), &event()).await, 202);
    bench.until("webhook_inbox where state = 'delivered'", 1).await;
    // A path that has moved, a proxy in between, a ledger of another version, a code for others: none of them is about this money.
    let answers = [
        (404, None, None),
        (422, None, None),
        (404, Some("request.not_found"), None),
        (400, Some("request.invalid"), Some("provider")),
        (400, Some("request.invalid"), None),
        (403, Some("auth.forbidden"), None),
        (409, Some("idempotency.key_reused"), None),
        (422, Some("ledger.insufficient_funds"), None),
        (404, Some("ledger.account_not_found"), None),
        (500, Some("idempotency.key_reused"), None),
    ];
    for (number, (status, code, field)) in answers.into_iter().enumerate() {
        if let Some(code) = code {
            bench.ledger.refuse(status, code, field);
        } else {
            *bench.ledger.says.lock().unwrap() = json!("<html>not here</html>");
            bench.ledger.answer.store(status, Ordering::SeqCst);
        }
        let event_id = format!("evt_no_{number}");
        assert_eq!(bench.signed(&bench.whsec(), &event_id, bench.clock.unix(), &event()).await, 202);
        let tried = format!("webhook_inbox where event_id = '{event_id}' and last_error like '{status}%'");
        bench.until(&tried, 1).await;
        assert_eq!(bench.count(&format!("{tried} and state = 'pending'")).await, 1, "{status} {code:?}");
    }
    bench.ledger.answer.store(200, Ordering::SeqCst);
    bench.until_in_time("webhook_inbox where state = 'delivered'", 11).await;
    // And what is final.
    for (number, (status, code, field)) in [
        (400, "ledger.amount_invalid", Some("amount")),
        (400, "request.invalid", Some("currency")),
        (404, "ledger.payout_not_found", None),
        (422, "idempotency.key_reused", None),
        (422, "ledger.limit_exceeded", None),
    ]
    .into_iter()
    .enumerate()
    {
        bench.ledger.refuse(status, code, field);
        let event_id = format!("evt_final_{number}");
        assert_eq!(bench.signed(&bench.whsec(), &event_id, bench.clock.unix(), &event()).await, 202);
        bench.until(&format!("webhook_inbox where event_id = '{event_id}' and state = 'rejected'"), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_message_that_the_provider_sends_again_is_judged_anew() {
    let bench = Bench::start().await;
    let (secret, now) = (bench.whsec(), bench.clock.unix());
    bench.ledger.refuse(400, "request.invalid", Some("currency"));
    assert_eq!(bench.signed(&secret, "evt_1", now, &event()).await, 202);
    bench.until("webhook_inbox where state = 'rejected'", 1).await;
    let other = String::from_utf8(event()).unwrap().replace("250.00", "950.00");
    assert_eq!(bench.signed(&secret, "evt_1", now, other.as_bytes()).await, 409, "the same message, that is");
    // In vain, and bounded: a provider that sends it for ever does not make us ask for ever.
    for times in 1..=10 {
        assert_eq!(bench.signed(&secret, "evt_1", now, &event()).await, 202);
        bench.until(&format!("webhook_inbox where state = 'rejected' and reopened = {times}"), 1).await;
    }
    assert_eq!(bench.ledger.requests().len(), 11);
    assert_eq!(bench.signed(&secret, "evt_1", now, &event()).await, 202);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!((bench.ledger.requests().len(), bench.count("webhook_inbox where state = 'rejected'").await), (11, 1));

    bench.ledger.refuse(400, "request.invalid", Some("currency"));
    assert_eq!(bench.signed(&secret, "evt_2", now, &event()).await, 202);
    bench.until("webhook_inbox where event_id = 'evt_2' and state = 'rejected'", 1).await;
    bench.ledger.answer.store(201, Ordering::SeqCst);
    assert_eq!(bench.signed(&secret, "evt_2", now, &event()).await, 202);
    bench.until("webhook_inbox where event_id = 'evt_2' and state = 'delivered' and body is null", 1).await;
    assert_eq!(bench.signed(&secret, "evt_2", now, &event()).await, 202, "and once delivered never again");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(bench.ledger.requests().iter().filter(|request| request.body["event_id"] == "evt_2").count(), 2);
}

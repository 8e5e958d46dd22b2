//! What an answer proves: an unknown outcome is never reported as a refusal (DESIGN §7), and a refusal must be authentic.

use mobile_sdk::{Client, Config, Error, IdempotencyKey};

use super::backend::{Fault, Signed, Switches};
use super::calls::{started, transfer};
use super::phone::Phone;
use super::world::Backend;

/// Answers after which nobody knows what a write has done.
const UNCLEAR: [Fault; 14] = [
    Fault::HangAfter,
    Fault::Busy,
    Fault::Problem(500, "server.internal"),
    Fault::Problem(503, "server.outcome_unknown"),
    Fault::Problem(404, "ledger.account_not_found"),
    Fault::Problem(400, "ledger.amount_invalid"),
    Fault::Problem(422, "ledger.insufficient_funds"),
    Fault::Text(200),
    Fault::Text(302),
    Fault::Text(422),
    Fault::SignedProblem(500, "server.internal"),
    Fault::SignedText,
    Fault::Sign(Signed::No),
    Fault::Sign(Signed::Forged),
];

/// What limits, routing and token layers answer, unsigned.
const BEFORE_HANDLERS: [(u16, &str); 9] = [
    (400, "request.invalid"),
    (401, "auth.unauthorized"),
    (404, "request.not_found"),
    (405, "request.method_not_allowed"),
    (413, "request.too_large"),
    (414, "request.too_large"),
    (415, "request.unsupported_media_type"),
    (429, "server.busy"),
    (431, "request.too_large"),
];

fn next(backend: &Backend, in_order: impl DoubleEndedIterator<Item = Fault>) {
    *backend.state.faults.lock().unwrap() = in_order.rev().collect();
}

#[tokio::test]
async fn an_unclear_answer_to_a_write_is_asked_for_again_and_then_called_unknown() {
    let (backend, client) = started(Signed::Yes).await;
    for fault in UNCLEAR {
        let before = backend.server.requests();
        next(&backend, [fault; 4].into_iter());
        let key = IdempotencyKey::new();
        assert_eq!(client.transfer(&transfer("1.00"), &key).await, Err(Error::OutcomeUnknown), "{fault:?}");
        assert_eq!(backend.server.requests() - before, 4, "{fault:?}");
        next(&backend, [fault].into_iter());
        client.transfer(&transfer("1.00"), &key).await.unwrap();
        let request = backend.state.last_api_request.lock().unwrap().clone();
        assert_eq!(request.header("idempotency-key"), Some(key.as_str()));
    }
}

#[tokio::test]
async fn a_write_without_a_key_is_not_sent_again_and_as_unknown() {
    let (backend, client) = started(Signed::Yes).await;
    let body = serde_json::to_value(transfer("1.00")).unwrap();
    for fault in [Fault::Busy, Fault::Problem(500, "server.internal"), Fault::Sign(Signed::No)] {
        let before = backend.server.requests();
        next(&backend, [fault].into_iter());
        let result = client.request(mobile_sdk::Method::POST, "/v1/transfers", Some(&body), None).await;
        assert_eq!(result, Err(Error::OutcomeUnknown), "{fault:?}");
        assert_eq!(backend.server.requests() - before, 1, "{fault:?}");
    }
}

/// From now on an attempt carries a nonce, without which no server carries anything out.
async fn with_nonce(backend: &Backend, client: &Client) {
    *backend.state.nonce.lock().unwrap() = Some("nonce".to_owned());
    client.accounts().await.unwrap();
}

/// Somebody on the way may have passed the write on and answered it himself.
#[tokio::test]
async fn an_unsigned_refusal_before_the_handlers_is_believed_of_a_read_only() {
    let (backend, client) = started(Signed::Yes).await;
    with_nonce(&backend, &client).await;
    for (status, code) in BEFORE_HANDLERS {
        next(&backend, [Fault::Problem(status, code); 4].into_iter());
        let key = IdempotencyKey::new();
        assert_eq!(client.transfer(&transfer("1.00"), &key).await, Err(Error::OutcomeUnknown), "{status}");
        next(&backend, [Fault::Problem(status, code)].into_iter());
        client.transfer(&transfer("1.00"), &key).await.unwrap();
        next(&backend, [Fault::Problem(status, code); 4].into_iter());
        let error = client.account(uuid::Uuid::nil().into()).await.unwrap_err();
        assert_eq!(error.code(), code);
        next(&backend, [].into_iter());
    }
}

#[tokio::test]
async fn a_write_without_a_key_is_not_sent_again_after_an_unsigned_refusal() {
    let (backend, client) = started(Signed::Yes).await;
    with_nonce(&backend, &client).await;
    let body = serde_json::to_value(transfer("1.00")).unwrap();
    let write = || client.request(mobile_sdk::Method::POST, "/v1/transfers", Some(&body), None);
    let before = backend.server.requests();
    next(&backend, [Fault::Unauthorized].into_iter());
    assert_eq!(write().await, Err(Error::OutcomeUnknown));
    assert_eq!(backend.server.requests() - before, 1);
}

#[tokio::test]
async fn a_signed_busy_is_waited_for_and_then_said_to_be_busy() {
    let (backend, client) = started(Signed::Yes).await;
    let order = || async { client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await };
    next(&backend, [Fault::SignedBusy("0"), Fault::SignedBusy("0")].into_iter());
    order().await.unwrap();
    next(&backend, [Fault::SignedBusy("3600")].into_iter());
    assert_eq!(order().await, Err(Error::Busy(Some(std::time::Duration::from_hours(1)))));
    // An attempt that nobody knows about stays one.
    next(&backend, [Fault::HangAfter, Fault::SignedBusy("3600")].into_iter());
    assert_eq!(order().await, Err(Error::OutcomeUnknown));
}

#[tokio::test]
async fn a_later_refusal_before_the_handlers_does_not_undo_an_earlier_attempt() {
    let (backend, client) = started(Signed::Yes).await;
    for (status, code) in BEFORE_HANDLERS {
        let refusals = [Fault::Problem(status, code); 3];
        next(&backend, [Fault::HangAfter].into_iter().chain(refusals));
        let result = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await;
        assert_eq!(result, Err(Error::OutcomeUnknown), "{status}");
    }
    // The guard of the handler, too, stands before the idempotency key.
    next(&backend, [Fault::HangAfter, Fault::SignedProblem(403, "auth.forbidden")].into_iter());
    let result = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await;
    assert_eq!(result, Err(Error::OutcomeUnknown));
}

#[tokio::test]
async fn a_credential_that_cannot_be_renewed_does_not_undo_an_earlier_attempt() {
    let backend = Backend::start(Switches { refresh_error: Some("invalid_grant"), ..Switches::default() });
    let (_phone, client) = backend.logged_in().await;
    next(&backend, [Fault::HangAfter, Fault::Unauthorized].into_iter());
    let key = IdempotencyKey::new();
    assert_eq!(client.transfer(&transfer("1.00"), &key).await, Err(Error::OutcomeUnknown));
    next(&backend, [Fault::Unauthorized].into_iter());
    assert_eq!(client.transfer(&transfer("1.00"), &key).await, Err(Error::LoginRequired), "this call sent nothing");
}

/// Unknown once, and then the reason: what was refused is not used again.
#[tokio::test]
async fn whoever_has_to_log_in_again_learns_it_from_the_next_call() {
    let backend = Backend::start(Switches { refresh_error: Some("invalid_grant"), ..Switches::default() });
    let (_phone, client) = backend.logged_in().await;
    with_nonce(&backend, &client).await;
    next(&backend, [Fault::Unauthorized].into_iter());
    let key = IdempotencyKey::new();
    assert_eq!(client.transfer(&transfer("1.00"), &key).await, Err(Error::OutcomeUnknown));
    assert_eq!(client.transfer(&transfer("1.00"), &key).await, Err(Error::LoginRequired));
}

/// A limit that was reached is no outcome of the key: there may be room when the attempt that nobody knows about arrives.
#[tokio::test]
async fn a_limit_that_was_reached_does_not_undo_an_earlier_attempt() {
    let (backend, client) = started(Signed::Yes).await;
    for code in [
        "ledger.payout_limit_reached",
        "ledger.account_limit_reached",
        "ledger.payee_exists",
        "ledger.payee_cooling_off",
        "ledger.payee_limit_reached",
        "ledger.payee_check_limit_reached",
        "ledger.approval_limit_reached",
        // Looked at before the key, too.
        "request.field_sealed_required",
        "request.field_sealed_invalid",
    ] {
        next(&backend, [Fault::HangAfter, Fault::SignedProblem(422, code)].into_iter());
        let result = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await;
        assert_eq!(result, Err(Error::OutcomeUnknown));
        next(&backend, [Fault::SignedProblem(422, code)].into_iter());
        let error = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await.unwrap_err();
        assert_eq!(error.code(), code);
    }
}

#[tokio::test]
async fn the_handlers_refusal_is_the_answer_to_all_attempts() {
    let (backend, client) = started(Signed::Yes).await;
    next(&backend, [Fault::HangAfter, Fault::Sign(Signed::Forged)].into_iter());
    let error = client.transfer(&transfer("1000000.00"), &IdempotencyKey::new()).await.unwrap_err();
    assert!(matches!(error, Error::Refused(problem) if problem.code == "ledger.insufficient_funds"));
}

#[tokio::test]
async fn a_handlers_refusal_of_a_read_must_be_signed() {
    let (backend, client) = started(Signed::Yes).await;
    let read = || client.account(uuid::Uuid::nil().into());
    next(&backend, [Fault::SignedProblem(404, "ledger.account_not_found")].into_iter());
    assert_eq!(read().await.unwrap_err().code(), "ledger.account_not_found");
    next(&backend, [Fault::Problem(404, "ledger.account_not_found")].into_iter());
    assert_eq!(read().await, Err(Error::ResponseSignature));
    next(&backend, [Fault::Problem(500, "server.internal")].into_iter());
    assert_eq!(read().await.unwrap_err().code(), "server.internal", "a read changes nothing");
}

#[tokio::test]
async fn a_server_that_does_not_sign_is_believed_if_configured_so() {
    let backend = Backend::start(Switches { signed: Signed::No, ..Switches::default() });
    let phone = Phone::new(backend.browser());
    let client = Client::new(Config { require_signed_responses: false, ..backend.config() }, phone.platform()).unwrap();
    client.enroll().await.unwrap();
    client.login().await.unwrap();
    let error = client.transfer(&transfer("1000000.00"), &IdempotencyKey::new()).await.unwrap_err();
    assert_eq!(error.code(), "ledger.insufficient_funds");
    next(&backend, [Fault::Text(200); 4].into_iter());
    let result = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await;
    assert_eq!(result, Err(Error::OutcomeUnknown));
}

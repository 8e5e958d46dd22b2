//! API calls: nonces, signatures, retries, traces. The backend verifies proof, tokens and signature of every attempt.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::transfers::PostTransfer;
use mobile_sdk::{Client, Config, Error, IdempotencyKey};
use uuid::Uuid;

use super::backend::{Fault, Signed, Switches};
use super::world::Backend;

pub(crate) fn transfer(amount: &str) -> PostTransfer {
    PostTransfer {
        from_account: Uuid::nil().into(),
        to_account: Uuid::max().into(),
        amount: api::Amount::new(amount, "EUR"),
        reference: "rent".into(),
    }
}

pub(crate) async fn started(signed: Signed) -> (Backend, Arc<Client>) {
    let backend = Backend::start(Switches { signed, ..Switches::default() });
    let (_, client) = backend.logged_in().await;
    (backend, client)
}

fn total_attempts(backend: &Backend) -> Vec<usize> {
    backend.state.attempts.lock().unwrap().values().copied().collect()
}

#[tokio::test]
async fn reads_and_writes_pass_every_check_of_the_backend() {
    let (backend, client) = started(Signed::Yes).await;
    assert!(client.accounts().await.unwrap().is_empty());
    let posted = client.transfer(&transfer("12.34"), &IdempotencyKey::new()).await.unwrap();
    assert_eq!(posted.amount, api::Amount::new("12.34", "EUR"));
    let query = api::page::PageQuery { limit: Some(10), after: None };
    // The backend answers every read alike; that it arrives, signed with its query, is what counts here.
    let entries = client.entries(Uuid::nil().into(), &query).await;
    assert_eq!(entries.unwrap_err().code(), "response.malformed");
    assert_eq!(backend.state.replayed_proofs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn all_accounts_are_read_page_by_page_and_a_list_without_end_is_refused() {
    let (backend, client) = started(Signed::Yes).await;
    for (count, requests) in [(0, 1), (100, 1), (101, 2), (1000, 10)] {
        backend.state.accounts.store(count, Ordering::SeqCst);
        let before = backend.server.requests();
        let accounts = client.accounts().await.unwrap();
        let ids: Vec<u128> = accounts.iter().map(|account| account.id.uuid().as_u128()).collect();
        assert_eq!(ids, (0..count as u128).collect::<Vec<_>>());
        assert_eq!(backend.server.requests() - before, requests, "{count}");
    }
    backend.state.accounts.store(1001, Ordering::SeqCst);
    assert_eq!(client.accounts().await.unwrap_err().code(), "response.malformed");
    let query = api::page::PageQuery { limit: None, after: Some("10".into()) };
    let last = client.account_page(&query).await.unwrap();
    assert_eq!((last.accounts.len(), last.next), (1, None));
}

/// The contract with every other client and with the documentation, so written out.
#[tokio::test]
async fn a_signed_request_has_these_headers() {
    let (backend, client) = started(Signed::Yes).await;
    client.transfer(&transfer("12.34"), &IdempotencyKey::new()).await.unwrap();
    let request = backend.state.last_api_request.lock().unwrap().clone();
    let input = request.header("signature-input").unwrap();
    let (components, parameters) = input.split_once(')').unwrap();
    assert_eq!(
        components,
        concat!(
            r#"redoubt=("@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization" "#,
            r#""dpop" "attestation-token" "idempotency-key""#
        )
    );
    let names: Vec<&str> =
        parameters.split(';').skip(1).map(|parameter| parameter.split('=').next().unwrap()).collect();
    assert_eq!(names, ["created", "nonce", "alg", "keyid", "tag"]);
    assert!(parameters.contains(r#";alg="hmac-sha256";"#) && parameters.ends_with(r#";tag="redoubt-request-v1""#));
    assert!(request.header("signature").unwrap().starts_with("redoubt=:"));
    let digest = crypto::b64::encode_standard(&crypto::hash::sha256(&request.body));
    assert_eq!(request.header("content-digest"), Some(&*format!("sha-256=:{digest}:")));
    assert!(request.header("authorization").unwrap().starts_with("DPoP "));
    assert_eq!(request.header("api-key"), Some("rdk_0000000000_test"));
    assert_eq!(request.header("user-agent"), Some("dev.redoubt.app/1.0.0 (android 1)"));

    client.accounts().await.unwrap();
    let request = backend.state.last_api_request.lock().unwrap().clone();
    let components = request.header("signature-input").unwrap().split_once(')').unwrap().0;
    let expected = r#"redoubt=("@method" "@authority" "@path" "@query" "authorization" "dpop" "attestation-token""#;
    assert_eq!(components, expected);
    assert!(["content-digest", "content-type", "idempotency-key"].iter().all(|name| request.header(name).is_none()));
}

#[tokio::test]
async fn a_new_nonce_costs_one_more_attempt_with_a_new_proof() {
    let (backend, client) = started(Signed::Yes).await;
    *backend.state.nonce.lock().unwrap() = Some("first".to_owned());
    let before = backend.server.requests();
    client.accounts().await.unwrap();
    assert_eq!(backend.server.requests() - before, 2);
    client.accounts().await.unwrap();
    assert_eq!(backend.server.requests() - before, 3, "the nonce is kept");
    *backend.state.nonce.lock().unwrap() = Some("second".to_owned());
    client.accounts().await.unwrap();
    assert_eq!(backend.server.requests() - before, 5);
    assert_eq!(backend.state.replayed_proofs.load(Ordering::SeqCst), 0);
    assert_eq!(backend.state.refreshes.load(Ordering::SeqCst), 0, "a nonce is no reason to renew anything");
}

#[tokio::test]
async fn an_unsigned_success_is_refused_unless_configured_otherwise() {
    let (backend, client) = started(Signed::No).await;
    assert_eq!(client.accounts().await, Err(Error::ResponseSignature));
    let phone = super::phone::Phone::new(backend.browser());
    let lenient =
        Client::new(Config { require_signed_responses: false, ..backend.config() }, phone.platform()).unwrap();
    lenient.enroll().await.unwrap();
    lenient.login().await.unwrap();
    lenient.accounts().await.unwrap();
    assert!(!lenient.request(mobile_sdk::Method::GET, "/v1/accounts", None, None).await.unwrap().signed);
}

#[tokio::test]
async fn a_changed_answer_is_refused_even_if_signatures_are_optional() {
    let backend = Backend::start(Switches { signed: Signed::Forged, ..Switches::default() });
    let phone = super::phone::Phone::new(backend.browser());
    let client = Client::new(Config { require_signed_responses: false, ..backend.config() }, phone.platform()).unwrap();
    client.enroll().await.unwrap();
    client.login().await.unwrap();
    assert_eq!(client.accounts().await, Err(Error::ResponseSignature));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_under_the_same_key() {
    let (backend, client) = started(Signed::Yes).await;
    *backend.state.faults.lock().unwrap() = vec![Fault::HangAfter, Fault::HangAfter];
    client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await.unwrap();
    assert_eq!(total_attempts(&backend), [3]);
    assert_eq!(backend.state.posted.lock().unwrap().len(), 1);
    assert_eq!(backend.state.replayed_proofs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_called_that_and_the_key_still_works() {
    let (backend, client) = started(Signed::Yes).await;
    *backend.state.faults.lock().unwrap() = vec![Fault::HangAfter; 4];
    let key = IdempotencyKey::new();
    let error = client.transfer(&transfer("1.00"), &key).await.unwrap_err();
    assert_eq!(error, Error::OutcomeUnknown);
    assert!(error.is_retryable());
    let key = IdempotencyKey::restore(key.as_str()).unwrap();
    client.transfer(&transfer("1.00"), &key).await.unwrap();
    assert_eq!(total_attempts(&backend), [5], "one key");
}

#[tokio::test]
async fn a_write_without_a_key_is_sent_once() {
    let (backend, client) = started(Signed::Yes).await;
    *backend.state.faults.lock().unwrap() = vec![Fault::HangAfter];
    let before = backend.server.requests();
    let body = serde_json::json!({});
    let result = client.request(mobile_sdk::Method::POST, "/v1/anything", Some(&body), None).await;
    assert_eq!(result, Err(Error::OutcomeUnknown));
    assert_eq!(backend.server.requests() - before, 1);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_soon_and_left_alone_when_it_says_later() {
    let (backend, client) = started(Signed::Yes).await;
    *backend.state.faults.lock().unwrap() = vec![Fault::Busy, Fault::Busy];
    client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await.unwrap();
    *backend.state.faults.lock().unwrap() = vec![Fault::BusyForLong];
    let before = backend.server.requests();
    let error = client.accounts().await.unwrap_err();
    assert_eq!(error, Error::Busy(Some(std::time::Duration::from_hours(1))));
    assert_eq!(backend.server.requests() - before, 1);
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_is_not_repeated() {
    let (backend, client) = started(Signed::Yes).await;
    let error = client.transfer(&transfer("1000000.00"), &IdempotencyKey::new()).await.unwrap_err();
    assert_eq!(error.code(), "ledger.insufficient_funds");
    assert_eq!(total_attempts(&backend), [1]);
}

#[tokio::test]
async fn a_replayed_answer_is_marked() {
    let (_backend, client) = started(Signed::Yes).await;
    let (key, body) = (IdempotencyKey::new(), serde_json::to_value(transfer("1.00")).unwrap());
    for replayed in [false, true] {
        let answer = client.request(mobile_sdk::Method::POST, "/v1/transfers", Some(&body), Some(&key)).await.unwrap();
        assert_eq!((answer.replayed, answer.signed), (replayed, true));
    }
}

#[tokio::test]
async fn no_server_is_unreachable() {
    let (backend, client) = started(Signed::Yes).await;
    client.accounts().await.unwrap();
    let phone = super::phone::Phone::new(backend.browser());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("https://localhost:{port}").parse().unwrap();
    let alone = Client::new(Config { attestation_url: nowhere, ..backend.config() }, phone.platform()).unwrap();
    assert_eq!(alone.enroll().await, Err(Error::Unreachable));
}

#[tokio::test]
async fn a_path_cannot_leave_the_api() {
    let (_backend, client) = started(Signed::Yes).await;
    for path in ["//attacker.example/", "https://attacker.example/", "v1/accounts", "@attacker.example/"] {
        let result = client.request(mobile_sdk::Method::GET, path, None, None).await;
        assert_eq!(result, Err(Error::Config("path")), "{path}");
    }
}

#[tokio::test]
async fn a_call_is_the_root_of_one_trace() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    backend.state.traces.lock().unwrap().clear();
    *backend.state.nonce.lock().unwrap() = Some("new".to_owned());
    client.accounts().await.unwrap();
    let (sent, record) = (backend.state.traces.lock().unwrap().clone(), phone.calls.lock().unwrap().pop().unwrap());
    assert_eq!(sent.len(), 2, "both attempts");
    assert!(sent.iter().all(|sent| *sent == format!("00-{}-{}-01", record.trace_id, record.span_id)));
    assert_eq!(client.last_trace_id(), Some(record.trace_id.clone()));
    assert_eq!((record.name, record.error), ("accounts", None));
    assert!(record.start < record.end);
    client.transfer(&transfer("1000000.00"), &IdempotencyKey::new()).await.unwrap_err();
    let record = phone.calls.lock().unwrap().pop().unwrap();
    assert_eq!(record.error.as_deref(), Some("ledger.insufficient_funds"));
}

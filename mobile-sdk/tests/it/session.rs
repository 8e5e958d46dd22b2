//! Renewal: once for everybody, in time, and never of what is newer than the complaint.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mobile_sdk::{Client, Error, KeySlot};

use super::backend::{Fault, Switches};
use super::on_the_way::OnTheWay;
use super::phone::Phone;
use super::world::Backend;

/// Fifty calls at once.
pub(crate) async fn fifty(client: &Arc<Client>) -> Vec<Result<(), Error>> {
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.accounts().await.map(|_| ()) })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn ten_minutes_later(backend: &Backend, phone: &Phone) {
    backend.state.elapsed.store(600, Ordering::SeqCst);
    phone.offset.store(600, Ordering::SeqCst);
}

fn renewals(backend: &Backend) -> (usize, usize) {
    (backend.state.assertions.load(Ordering::SeqCst), backend.state.refreshes.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_after_expiry_make_one_refresh_and_one_assertion() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    ten_minutes_later(&backend, &phone);
    assert!(fifty(&client).await.iter().all(Result::is_ok));
    assert_eq!(renewals(&backend), (1, 1));
    assert_eq!(backend.state.replayed_proofs.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refusals_at_once_make_one_refresh_and_one_assertion() {
    let backend = Backend::start(Switches::default());
    let (_phone, client) = backend.logged_in().await;
    backend.state.revoke();
    let results = fifty(&client).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 50, "{results:?}");
    assert_eq!(renewals(&backend), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_callers_share_the_news_that_login_is_needed() {
    let backend = Backend::start(Switches { refresh_error: Some("invalid_grant"), ..Switches::default() });
    let (phone, client) = backend.logged_in().await;
    ten_minutes_later(&backend, &phone);
    assert!(fifty(&client).await.iter().all(|result| *result == Err(Error::LoginRequired)));
    assert_eq!(backend.state.refreshes.load(Ordering::SeqCst), 1);
    assert!(phone.stored().is_empty(), "a refused refresh token is forgotten");
}

#[tokio::test]
async fn a_second_generic_refusal_is_final() {
    let backend = Backend::start(Switches::default());
    let (_phone, client) = backend.logged_in().await;
    *backend.state.faults.lock().unwrap() = vec![Fault::Unauthorized; 9];
    let before = backend.server.requests();
    assert_eq!(client.accounts().await.unwrap_err().code(), "auth.unauthorized");
    assert_eq!(renewals(&backend), (1, 1));
    // Call, challenge, assertion, refresh, call.
    assert_eq!(backend.server.requests() - before, 5);
}

#[tokio::test]
async fn logging_out_leaves_nothing_to_renew_with() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    client.logout().await.unwrap();
    assert!(phone.stored().is_empty());
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
}

/// Starts a call that refreshes; returns when its refresh token is at the server, which does not answer yet.
async fn refreshing(backend: &Backend, client: &Arc<Client>) -> tokio::task::JoinHandle<Result<(), Error>> {
    backend.state.refreshes_wait.store(true, Ordering::SeqCst);
    backend.state.revoke();
    let client = client.clone();
    let call = tokio::spawn(async move { client.accounts().await.map(|_| ()) });
    until(|| backend.state.refreshes.load(Ordering::SeqCst) == 1).await;
    call
}

pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_under_way_does_not_undo_a_logout() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let call = refreshing(&backend, &client).await;
    let leaving = client.clone();
    let logout = tokio::spawn(async move { leaving.logout().await });
    until(|| phone.stored().is_empty()).await;
    assert!(!logout.is_finished(), "storage is cleared at once, memory when the refresh has ended");
    backend.state.refreshes_wait.store(false, Ordering::SeqCst);
    logout.await.unwrap().unwrap();
    assert_eq!(call.await.unwrap(), Err(Error::LoginRequired));
    assert!(phone.stored().is_empty());
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_under_way_does_not_undo_a_login() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let former = phone.refresh_token();
    let call = refreshing(&backend, &client).await;
    let entering = client.clone();
    let login = tokio::spawn(async move { entering.login().await });
    until(|| phone.refresh_token() != former).await;
    let of_login = phone.refresh_token();
    backend.state.refreshes_wait.store(false, Ordering::SeqCst);
    login.await.unwrap().unwrap();
    assert_eq!(call.await.unwrap(), Err(Error::LoginRequired), "a call of one person does not become another's");
    assert_eq!(phone.refresh_token(), of_login);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_under_way_does_not_log_in_a_new_instance() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let call = refreshing(&backend, &client).await;
    let enrolling = client.clone();
    let enrolled = tokio::spawn(async move { enrolling.enroll().await });
    until(|| phone.jkt(KeySlot::Second).is_some()).await;
    backend.state.refreshes_wait.store(false, Ordering::SeqCst);
    enrolled.await.unwrap().unwrap();
    assert!(matches!(call.await.unwrap(), Err(Error::LoginRequired) | Ok(())));
    assert_eq!(phone.refresh_token(), None);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_refresh_token_that_was_refused_is_forgotten() {
    let backend = Backend::start(Switches { refresh_error: Some("invalid_grant"), ..Switches::default() });
    let (phone, client) = backend.logged_in().await;
    let call = refreshing(&backend, &client).await;
    phone.keep_refresh_token("newer");
    backend.state.refreshes_wait.store(false, Ordering::SeqCst);
    assert_eq!(call.await.unwrap(), Err(Error::LoginRequired));
    assert_eq!(phone.refresh_token().as_deref(), Some("newer"));
}

/// With the session key of somebody on the way, every answer that he forges would be rightly signed.
#[tokio::test]
async fn an_answer_to_evidence_that_our_server_has_not_signed_opens_no_session() {
    for on_the_way in [OnTheWay::Reseals, OnTheWay::Unseals, OnTheWay::Strips, OnTheWay::SignsItself] {
        let backend = Backend::start(Switches { on_the_way, ..Switches::default() });
        let phone = Phone::new(backend.browser());
        let client = Client::new(backend.config(), phone.platform()).unwrap();
        assert_eq!(client.enroll().await, Err(Error::ResponseSignature), "{on_the_way:?}");
        assert_eq!(client.support_id(), None);
        assert_eq!(client.accounts().await, Err(Error::NotEnrolled));
    }
}

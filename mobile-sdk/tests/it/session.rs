//! Renewal: once for everybody, in time, and never of what is newer than the complaint.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mobile_sdk::{Client, Error};

use super::backend::{Fault, Switches};
use super::phone::Phone;
use super::world::Backend;

/// Fifty calls at once.
async fn fifty(client: &Arc<Client>) -> Vec<Result<(), Error>> {
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

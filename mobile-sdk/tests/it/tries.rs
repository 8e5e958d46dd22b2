//! How often a phone enrols anew by itself, and what it waits for.

use std::sync::atomic::Ordering;

use mobile_sdk::{Client, Error, KeySlot};

use super::backend::BackendState;
use super::phone::Phone;
use super::reenroll::{DAY, believe_everybody, code, later, started, tries, with_candidate};

pub(super) const HOUR: i64 = 3_600;

/// Nobody is believed, so what might be a new instance is none any more.
async fn refused_login(client: &Client) {
    assert_eq!(client.login().await.unwrap_err().code(), "oauth.invalid_client_attestation");
}

/// What the observer has seen, whatever has arrived.
fn tried(phone: &Phone) -> usize {
    phone.calls.lock().unwrap().iter().filter(|call| call.name == "reenroll").count()
}

#[tokio::test]
async fn whoever_is_refused_for_good_tries_once_a_day() {
    let (backend, phone, client) = with_candidate().await;
    for day in 1..4 {
        for _ in 0..4 {
            assert_eq!(client.accounts().await, Err(Error::LoginRequired));
            later(&backend, &phone, 3600);
        }
        // The candidate is refused, too, and the one before it is still there to be refused.
        refused_login(&client).await;
        assert_eq!(code(&client).await, "oauth.invalid_client_attestation");
        assert_eq!(code(&backend.restarted(&phone)).await, "oauth.invalid_client_attestation");
        assert_eq!(tries(&backend), day);
        later(&backend, &phone, DAY - 4 * 3600);
        code(&client).await;
        assert_eq!(tries(&backend), day + 1, "the next day");
    }
    believe_everybody(&backend);
    client.accounts().await.unwrap();
}

#[tokio::test]
async fn a_new_instance_that_is_refused_on_its_first_day_waits_for_the_next() {
    let (backend, phone, client) = with_candidate().await;
    believe_everybody(&backend);
    client.login().await.unwrap();
    backend.state.believe_only(&[]);
    for _ in 0..4 {
        assert_eq!(code(&client).await, "oauth.invalid_client_attestation");
    }
    assert_eq!(tries(&backend), 1);
    later(&backend, &phone, DAY);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
    assert_eq!(tries(&backend), 2);
}

#[tokio::test]
async fn a_clock_that_is_set_back_and_forth_gains_no_try_and_costs_no_more_than_a_day() {
    let (backend, phone, client) = started().await;
    backend.state.believe_only(&[]);
    later(&backend, &phone, 3650 * DAY);
    for _ in 0..3 {
        code(&client).await;
    }
    assert_eq!(tries(&backend), 1);
    refused_login(&client).await;
    later(&backend, &phone, -3650 * DAY);
    for _ in 0..3 {
        code(&client).await;
    }
    assert_eq!(tries(&backend), 1, "a time in the future is no reason to try");
    later(&backend, &phone, DAY - 60);
    code(&client).await;
    assert_eq!(tries(&backend), 1);
    later(&backend, &phone, 60);
    code(&client).await;
    assert_eq!(tries(&backend), 2, "and none to wait for ever");
}

/// Whoever is on the way could move it.
#[tokio::test]
async fn the_servers_time_gains_no_try() {
    let (backend, _phone, client) = with_candidate().await;
    refused_login(&client).await;
    for _ in 0..2 {
        backend.state.elapsed.fetch_add(DAY / 2, Ordering::SeqCst);
        code(&client).await;
    }
    assert_eq!(tries(&backend), 1);
}

/// What can come between the challenge and a signed answer; none of it says anything about the phone.
const NO_ANSWER: [fn(&BackendState, &Phone, bool); 4] = [
    |state, _, fails| *state.silent.lock().unwrap() = fails.then_some(("/v1/attestations", false)),
    |state, _, fails| *state.silent.lock().unwrap() = fails.then_some(("/v1/attestations", true)),
    |state, _, fails| *state.busy.lock().unwrap() = fails.then_some("/v1/attestations"),
    |_, phone, fails| phone.has_no_vendor.store(fails, Ordering::SeqCst),
];

#[tokio::test]
async fn a_try_without_a_signed_answer_is_made_again_after_an_hour() {
    for no_answer in NO_ANSWER {
        let (backend, phone, client) = started().await;
        backend.state.believe_only(&[]);
        no_answer(&backend.state, &phone, true);
        for _ in 0..4 {
            assert_eq!(code(&client).await, "oauth.invalid_client_attestation");
        }
        no_answer(&backend.state, &phone, false);
        later(&backend, &phone, HOUR - 60);
        code(&client).await;
        assert_eq!(tried(&phone), 1, "not before");
        later(&backend, &phone, 60);
        assert_eq!(client.accounts().await, Err(Error::LoginRequired));
        assert_eq!(tried(&phone), 2);
        // That one had a signed answer.
        refused_login(&client).await;
        later(&backend, &phone, DAY - 60);
        code(&client).await;
        assert_eq!(tried(&phone), 2);
    }
}

#[tokio::test]
async fn a_platform_that_loses_each_new_key_tries_once_a_day() {
    let (backend, phone, client) = started().await;
    backend.state.believe_only(&[]);
    phone.keeps_no_keys.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        code(&client).await;
    }
    later(&backend, &phone, DAY - 60);
    code(&client).await;
    assert_eq!(tries(&backend), 1);
    later(&backend, &phone, 60);
    code(&client).await;
    assert_eq!(tries(&backend), 2);
}

/// It would be lost if nothing came of the next one.
#[tokio::test]
async fn a_candidate_that_nobody_has_refused_is_not_replaced() {
    let (backend, phone, client) = with_candidate().await;
    let candidate = phone.jkt(KeySlot::Second).unwrap();
    for no_answer in NO_ANSWER {
        no_answer(&backend.state, &phone, true);
        later(&backend, &phone, DAY);
        assert_eq!(client.accounts().await, Err(Error::LoginRequired));
        no_answer(&backend.state, &phone, false);
    }
    assert_eq!(tried(&phone), 1);
    backend.state.believe_only(std::slice::from_ref(&candidate));
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!(phone.jkt(KeySlot::Second), Some(candidate));
}

/// There is no third slot. But whoever loses his candidate to that does not wait for a day.
#[tokio::test]
async fn an_enrolment_by_the_app_that_comes_to_nothing_costs_the_candidate_and_an_hour() {
    let (backend, phone, client) = with_candidate().await;
    backend.state.refuses_new_instances.store(true, Ordering::SeqCst);
    client.enroll().await.unwrap_err();
    backend.state.refuses_new_instances.store(false, Ordering::SeqCst);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired), "not even that before there is a challenge");
    *backend.state.silent.lock().unwrap() = Some(("/v1/attestations", false));
    client.enroll().await.unwrap_err();
    *backend.state.silent.lock().unwrap() = None;
    assert_eq!(code(&client).await, "oauth.invalid_client_attestation");
    later(&backend, &phone, HOUR);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
    assert_eq!(tried(&phone), 2);
}

/// Nothing else would ever take it away.
#[tokio::test]
async fn a_candidate_that_cannot_prove_itself_any_more_is_dropped_at_the_login() {
    let (backend, phone, _) = with_candidate().await;
    *phone.cannot_assert.lock().unwrap() = Some(KeySlot::Second);
    believe_everybody(&backend);
    let client = backend.restarted(&phone);
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!((phone.jkt(KeySlot::First).is_some(), phone.jkt(KeySlot::Second)), (true, None));
}

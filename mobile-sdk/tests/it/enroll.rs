//! A new instance takes the old one's place at once or not at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mobile_sdk::{Client, Error, KeySlot, PlatformError};

use super::backend::Switches;
use super::on_the_way::OnTheWay;
use super::phone::{Phone, Trouble};
use super::world::Backend;

/// All the ways in which a step can fail: it does not take place or nobody learns that it has, and the process lives on or does not.
pub(crate) const FAILURES: [Trouble; 4] = [
    Trouble { after: None, unheard: false, for_good: false },
    Trouble { after: None, unheard: true, for_good: false },
    Trouble { after: None, unheard: false, for_good: true },
    Trouble { after: None, unheard: true, for_good: true },
];

/// Whether the trouble is over, and the client that the app has then.
pub(crate) fn recovered(backend: &Backend, phone: &Arc<Phone>, client: Arc<Client>, trouble: Trouble) -> Arc<Client> {
    phone.set_trouble(Trouble::default());
    if trouble.for_good { backend.restarted(phone) } else { client }
}

pub(crate) fn keys(phone: &Phone) -> usize {
    KeySlot::ALL.into_iter().filter(|slot| phone.jkt(*slot).is_some()).count()
}

#[tokio::test]
async fn an_enrolment_that_fails_on_the_way_leaves_the_old_instance_working() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let before = (phone.jkt(KeySlot::First), phone.refresh_token());
    for silent in ["/v1/challenges", "/v1/attestations"] {
        for carried_out in [false, true] {
            *backend.state.silent.lock().unwrap() = Some((silent, carried_out));
            assert_eq!(client.enroll().await, Err(Error::OutcomeUnknown), "{silent}");
            *backend.state.silent.lock().unwrap() = None;
            client.accounts().await.unwrap();
        }
    }
    for on_the_way in [OnTheWay::Reseals, OnTheWay::Unseals, OnTheWay::Strips, OnTheWay::SignsItself] {
        *backend.state.on_the_way.lock().unwrap() = on_the_way;
        assert_eq!(client.enroll().await, Err(Error::ResponseSignature), "{on_the_way:?}");
        *backend.state.on_the_way.lock().unwrap() = OnTheWay::Nobody;
        client.accounts().await.unwrap();
    }
    assert_eq!((phone.jkt(KeySlot::First), phone.refresh_token()), before);
    assert_eq!(keys(&phone), 1, "what was half made is gone");
    backend.restarted(&phone).accounts().await.unwrap();
}

#[tokio::test]
async fn an_enrolment_that_fails_at_any_step_leaves_the_old_instance_or_the_new_one_working() {
    for failure in FAILURES {
        let (mut step, mut outcomes) = (0, [0, 0]);
        loop {
            let backend = Backend::start(Switches::default());
            let (phone, client) = backend.logged_in().await;
            phone.set_trouble(Trouble { after: Some(step), ..failure });
            let enrolled = client.enroll().await;
            let is_over = !phone.had_trouble();
            let client = recovered(&backend, &phone, client, failure);
            let context = format!("step {step} of {failure:?}: {enrolled:?}");
            match client.accounts().await {
                Ok(_) => {
                    assert!(enrolled.is_err(), "{context}");
                    outcomes[0] += 1;
                }
                Err(Error::LoginRequired) => {
                    client.login().await.expect(&context);
                    client.accounts().await.expect(&context);
                    outcomes[1] += 1;
                }
                Err(error) => panic!("{context}, {error:?}"),
            }
            phone.refresh_token().expect(&context);
            if failure.for_good {
                assert_eq!(keys(&phone), 1, "{context}");
            }
            if is_over {
                break;
            }
            step += 1;
        }
        assert!(step > 10 && outcomes[0] > 5 && outcomes[1] > 1, "{step} {outcomes:?}");
    }
}

#[tokio::test]
async fn a_first_enrolment_that_fails_at_any_step_can_be_done_again() {
    for failure in FAILURES {
        for step in 0.. {
            let backend = Backend::start(Switches::default());
            let phone = Phone::new(backend.browser());
            let client = backend.restarted(&phone);
            phone.set_trouble(Trouble { after: Some(step), ..failure });
            client.enroll().await.unwrap_or_default();
            let is_over = !phone.had_trouble();
            let client = recovered(&backend, &phone, client, failure);
            client.enroll().await.unwrap();
            client.login().await.unwrap();
            client.accounts().await.unwrap();
            assert_eq!(keys(&phone), 1, "step {step} of {failure:?}");
            if is_over {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_new_instance_has_a_new_key_and_the_old_one_is_destroyed() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    for (former, slot) in [(KeySlot::First, KeySlot::Second), (KeySlot::Second, KeySlot::First)] {
        let old = phone.jkt(former).unwrap();
        client.enroll().await.unwrap();
        assert_eq!(phone.jkt(former), None);
        assert_ne!(phone.jkt(slot).unwrap(), old);
        assert_eq!(client.accounts().await, Err(Error::LoginRequired));
        client.login().await.unwrap();
        client.accounts().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_enrolments_at_once_leave_one_instance_that_works() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.enroll().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!(keys(&phone), 1);
}

/// The slot is the same, and nothing else is.
#[tokio::test]
async fn what_a_process_holds_of_a_former_instance_in_the_slot_is_not_used_for_the_present_one() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let other_process = backend.restarted(&phone);
    other_process.enroll().await.unwrap();
    other_process.enroll().await.unwrap();
    other_process.login().await.unwrap();
    assert!(phone.jkt(KeySlot::First).is_some());
    let before = backend.server.requests();
    client.accounts().await.unwrap();
    assert_eq!(backend.server.requests() - before, 4, "challenge, assertion, refresh, call; nothing was refused");
}

#[tokio::test]
async fn a_lost_key_asks_for_an_enrolment() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    phone.lose_key(KeySlot::First);
    assert_eq!(client.accounts().await, Err(Error::NotEnrolled));
    client.enroll().await.unwrap();
    client.login().await.unwrap();
    client.accounts().await.unwrap();
}

#[tokio::test]
async fn a_platform_that_loses_the_new_key_costs_nobody_the_old_instance() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    phone.keeps_no_keys.store(true, Ordering::SeqCst);
    assert_eq!(client.enroll().await, Err(Error::Platform(PlatformError::KeyLost)));
    client.accounts().await.unwrap();
}

#[tokio::test]
async fn stored_instances_that_nobody_can_read_are_an_error_until_the_app_enrols() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    phone.garble();
    assert_eq!(client.accounts().await.unwrap_err().code(), "response.malformed");
    client.enroll().await.unwrap();
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!(keys(&phone), 1);
}

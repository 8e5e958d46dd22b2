//! Enrolling anew by itself: when, and what is kept until when. Nothing here is told to the phone but refusals.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::attestation::App;
use api::problem::code::INSUFFICIENT_FUNDS;
use mobile_sdk::{Client, Config, Error, IdempotencyKey, KeySlot};

use super::backend::{Fault, Signed, Switches};
use super::calls::transfer;
use super::enroll::keys;
use super::on_the_way::OnTheWay;
use super::phone::Phone;
use super::session::fifty;
use super::tries::HOUR;
use super::world::Backend;

pub(super) const DAY: i64 = 86_400;

/// A phone that is enrolled and logged in.
pub(super) async fn started() -> (Backend, Arc<Phone>, Arc<Client>) {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    (backend, phone, client)
}

pub(super) async fn code(client: &Client) -> String {
    client.accounts().await.unwrap_err().code()
}

/// Evidence that has arrived beside that of the first enrolment.
pub(super) fn tries(backend: &Backend) -> usize {
    backend.state.attestations.load(Ordering::SeqCst) - 1
}

/// Refused until there is a candidate.
pub(super) async fn with_candidate() -> (Backend, Arc<Phone>, Arc<Client>) {
    let (backend, phone, client) = started().await;
    backend.state.believe_only(&[]);
    for _ in 0..3 {
        code(&client).await;
    }
    assert_eq!(tries(&backend), 1);
    (backend, phone, client)
}

/// Time goes on, for phone and servers.
pub(super) fn later(backend: &Backend, phone: &Phone, seconds: i64) {
    backend.state.elapsed.fetch_add(seconds, Ordering::SeqCst);
    phone.offset.fetch_add(seconds, Ordering::SeqCst);
}

pub(super) fn believe_everybody(backend: &Backend) {
    *backend.state.believed.lock().unwrap() = None;
}

#[tokio::test]
async fn after_three_refusals_a_login_under_a_new_instance_is_asked_for_and_helps() {
    let (backend, phone, client) = started().await;
    let old = (phone.jkt(KeySlot::First).unwrap(), phone.refresh_token());
    backend.state.believe_only(&[]);
    let codes = [code(&client).await, code(&client).await, code(&client).await, code(&client).await];
    // The first call has a good access token; the later ones are refused when they refresh it.
    let refused = "oauth.invalid_client_attestation";
    assert_eq!(codes, [refused, refused, "session.login_required", "session.login_required"]);
    assert_eq!(tries(&backend), 1);
    assert_eq!((phone.jkt(KeySlot::First).unwrap(), phone.refresh_token()), old, "nothing is given up");
    backend.state.believe_only(&[phone.jkt(KeySlot::Second).unwrap()]);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!((phone.jkt(KeySlot::First), keys(&phone)), (None, 1), "now it is");
    backend.restarted(&phone).accounts().await.unwrap();
}

#[tokio::test]
async fn refusals_of_the_api_alone_count_as_well() {
    let (backend, _phone, client) = started().await;
    *backend.state.faults.lock().unwrap() = vec![Fault::Unauthorized; 8];
    let codes = [code(&client).await, code(&client).await, code(&client).await, code(&client).await];
    let (refused, login) = ("auth.unauthorized", "session.login_required");
    assert_eq!(codes, [refused, refused, login, login]);
    assert_eq!(tries(&backend), 1);
    client.accounts().await.unwrap();
}

#[tokio::test]
async fn the_count_survives_the_end_of_the_process() {
    let (backend, phone, client) = started().await;
    backend.state.believe_only(&[]);
    code(&client).await;
    code(&backend.restarted(&phone)).await;
    assert_eq!(tries(&backend), 0);
    assert_eq!(backend.restarted(&phone).accounts().await, Err(Error::LoginRequired));
    assert_eq!(tries(&backend), 1);
}

#[tokio::test]
async fn a_signed_answer_begins_the_count_anew() {
    let (backend, _phone, client) = started().await;
    for _ in 0..3 {
        for _ in 0..2 {
            *backend.state.faults.lock().unwrap() = vec![Fault::Unauthorized; 2];
            assert_eq!(code(&client).await, "auth.unauthorized");
        }
        // A refusal by a handler is an answer, too.
        let order = client.transfer(&transfer("1000000.00"), &IdempotencyKey::new()).await;
        assert_eq!(order.unwrap_err().code(), "ledger.insufficient_funds");
    }
    assert_eq!(tries(&backend), 0);
}

#[tokio::test]
async fn an_unsigned_success_does_not_begin_the_count_anew() {
    let (backend, _phone, client) = started().await;
    for _ in 0..3 {
        *backend.state.faults.lock().unwrap() = vec![Fault::Text(200), Fault::Unauthorized, Fault::Unauthorized];
        code(&client).await;
        assert_eq!(client.accounts().await, Err(Error::ResponseSignature));
    }
    assert_eq!(tries(&backend), 1);
}

/// Not even where the app shows it.
#[tokio::test]
async fn an_unsigned_answer_that_is_shown_does_not_begin_the_count_anew_nor_take_the_candidate_away() {
    let (backend, phone, _) = started().await;
    let config = Config { require_signed_responses: false, ..backend.config() };
    let client = Client::new(config, phone.platform()).unwrap();
    let faults = |faults: &[Fault]| *backend.state.faults.lock().unwrap() = faults.to_vec();
    let unsigned_answers = async || {
        faults(&[Fault::Sign(Signed::No)]);
        client.accounts().await.unwrap();
        faults(&[Fault::Problem(409, INSUFFICIENT_FUNDS)]);
        let order = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await;
        assert_eq!(order.unwrap_err().code(), INSUFFICIENT_FUNDS);
    };
    for tries_so_far in [0, 0, 1] {
        faults(&[Fault::Unauthorized; 2]);
        code(&client).await;
        assert_eq!(tries(&backend), tries_so_far);
        unsigned_answers().await;
    }
    assert_eq!(keys(&phone), 2);
    client.accounts().await.unwrap();
    assert_eq!(keys(&phone), 1, "a signed one does");
}

/// The servers had a bad hour, or somebody on the way wrote the refusals: the old instance was good all the time.
#[tokio::test]
async fn whoever_is_accepted_again_goes_on_without_a_login() {
    let (backend, phone, client) = with_candidate().await;
    let token = phone.refresh_token();
    believe_everybody(&backend);
    client.accounts().await.unwrap();
    assert_eq!(keys(&phone), 1, "nobody needs the candidate");
    backend.restarted(&phone).accounts().await.unwrap();
    assert!(token.is_some() && phone.refresh_token().is_some());
}

#[tokio::test]
async fn a_new_instance_that_is_refused_costs_nobody_the_old_one() {
    let (backend, phone, client) = with_candidate().await;
    let old = phone.jkt(KeySlot::First).unwrap();
    backend.state.believe_only(std::slice::from_ref(&old));
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!((phone.jkt(KeySlot::First), keys(&phone)), (Some(old), 1));
}

#[tokio::test]
async fn whoever_is_refused_at_login_logs_in_under_the_new_instance_in_the_same_call() {
    let (backend, phone, client) = started().await;
    client.logout().await.unwrap();
    let old = phone.jkt(KeySlot::First).unwrap();
    backend.state.believe_only(&[]);
    for _ in 0..2 {
        assert_eq!(client.login().await.unwrap_err().code(), "oauth.invalid_client_attestation");
    }
    assert_eq!(tries(&backend), 0);
    assert_eq!(backend.state.assertions.load(Ordering::SeqCst), 1, "what was refused is not shown again");
    // From now on everybody but the old one.
    *backend.state.disbelieved.lock().unwrap() = Some(old);
    believe_everybody(&backend);
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!((tries(&backend), phone.jkt(KeySlot::First)), (1, None));
}

#[tokio::test]
async fn a_new_instance_without_its_key_is_none() {
    let (backend, phone, client) = with_candidate().await;
    phone.lose_key(KeySlot::Second);
    believe_everybody(&backend);
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!(phone.jkt(KeySlot::Second), None);
}

/// Nobody signs that refusal, so anybody on the way can write it.
#[tokio::test]
async fn a_forged_unknown_instance_triggers_one_try_an_hour_and_loses_nothing() {
    let (backend, phone, client) = started().await;
    let token = phone.refresh_token();
    let forge = |on_the_way, forges| {
        *backend.state.on_the_way.lock().unwrap() = on_the_way;
        backend.state.forgets_instances.store(forges, Ordering::SeqCst);
    };
    for on_the_way in [OnTheWay::Strips, OnTheWay::SignsItself, OnTheWay::Reseals, OnTheWay::Nobody] {
        let before = tries(&backend);
        forge(on_the_way, true);
        later(&backend, &phone, 600);
        for _ in 0..3 {
            let is_honest = on_the_way == OnTheWay::Nobody;
            let expected = if is_honest { "session.login_required" } else { "attestation.instance_unknown" };
            assert_eq!(code(&client).await, expected, "{on_the_way:?}");
        }
        assert_eq!(tries(&backend) - before, 1, "{on_the_way:?}");
        forge(OnTheWay::Nobody, false);
        client.accounts().await.unwrap();
        assert_eq!(keys(&phone), 1);
        later(&backend, &phone, HOUR);
    }
    assert!(token.is_some() && phone.refresh_token().is_some());
    backend.restarted(&phone).accounts().await.unwrap();
}

#[tokio::test]
async fn a_server_that_has_lost_its_instances_is_served_by_a_login() {
    let (backend, phone, client) = started().await;
    later(&backend, &phone, 600);
    backend.state.forgets_instances.store(true, Ordering::SeqCst);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
    client.login().await.unwrap();
    client.accounts().await.unwrap();
    assert_eq!(phone.jkt(KeySlot::First), None);
}

/// On Android renewals keep the build that was proven at enrolment, and so does the patch level.
#[tokio::test]
async fn after_an_update_one_refusal_is_enough_and_after_an_accepted_call_it_takes_three_again() {
    let (backend, phone, _) = started().await;
    let app = App { build: 2_u64.into(), ..backend.config().app };
    let client = Client::new(Config { app, ..backend.config() }, phone.platform()).unwrap();
    let refused = "oauth.invalid_client_attestation";
    let it_takes_three = async || {
        client.accounts().await.unwrap();
        assert_eq!(keys(&phone), 1, "who is accepted keeps his instance");
        later(&backend, &phone, DAY);
        backend.state.believe_only(&[]);
        let codes = [code(&client).await, code(&client).await, code(&client).await];
        assert_eq!(codes, [refused, refused, "session.login_required"]);
        believe_everybody(&backend);
    };
    it_takes_three().await;
    assert_eq!(tries(&backend), 1);

    client.accounts().await.unwrap();
    later(&backend, &phone, DAY);
    *phone.system.lock().unwrap() = "16, patched again".to_owned();
    backend.state.believe_only(&[]);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
    assert_eq!(tries(&backend), 2);
    believe_everybody(&backend);
    it_takes_three().await;
    assert_eq!(tries(&backend), 3);
    // The instance that takes over has attested what runs now.
    client.login().await.unwrap();
    later(&backend, &phone, DAY);
    backend.state.believe_only(&[]);
    assert_eq!(code(&client).await, refused);
}

/// What is noted about an instance is not what it is told by.
#[tokio::test(flavor = "multi_thread")]
async fn a_success_after_an_update_does_not_disturb_a_login_under_way() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    *phone.system.lock().unwrap() = "16, patched again".to_owned();
    let (calling, honest, runtime) = (client.clone(), backend.browser(), tokio::runtime::Handle::current());
    let at_browser = Phone::new(Box::new(move |url, redirect_uri| {
        let calling = calling.clone();
        let call = runtime.spawn(async move { calling.accounts().await.map(|_| ()) });
        tokio::task::block_in_place(|| runtime.block_on(call)).unwrap().unwrap();
        honest(url, redirect_uri)
    }));
    let platform = mobile_sdk::Platform { browser: at_browser.platform().browser, ..phone.platform() };
    Client::new(backend.config(), platform).unwrap().login().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refused_calls_make_one_try_and_share_its_outcome() {
    let (backend, phone, _) = started().await;
    let config = Config { reenroll_after: 1, ..backend.config() };
    let client = Arc::new(Client::new(config, phone.platform()).unwrap());
    client.accounts().await.unwrap();
    backend.state.believe_only(&[]);
    assert!(fifty(&client).await.iter().all(|result| *result == Err(Error::LoginRequired)));
    assert_eq!(tries(&backend), 1);
    for tries_so_far in 2..4 {
        client.login().await.unwrap_err();
        later(&backend, &phone, DAY);
        code(&client).await;
        assert_eq!(tries(&backend), tries_so_far);
    }
}

/// All of them have begun before the first one is refused.
async fn fifty_refused_together(backend: &Backend, client: &Arc<Client>) -> Vec<Result<(), Error>> {
    *backend.state.faults.lock().unwrap() = vec![Fault::Unauthorized; 100];
    backend.state.together.store(50, Ordering::SeqCst);
    fifty(client).await
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_that_wait_for_a_try_that_fails_do_not_try_again() {
    let (backend, phone, _) = started().await;
    let config = Config { reenroll_after: 1, ..backend.config() };
    let client = Arc::new(Client::new(config, phone.platform()).unwrap());
    client.accounts().await.unwrap();
    backend.state.refuses_new_instances.store(true, Ordering::SeqCst);
    let results = fifty_refused_together(&backend, &client).await;
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|error| error.code() == "auth.unauthorized")));
    let failures = || {
        let calls = phone.calls.lock().unwrap();
        calls.iter().filter(|call| call.name == "reenroll").map(|call| call.error.clone().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(failures(), ["request.invalid"], "the observer learns why");
    // Without a challenge it had not begun, so the day is not lost.
    *backend.state.faults.lock().unwrap() = vec![Fault::Unauthorized; 2];
    assert_eq!(code(&client).await, "auth.unauthorized");
    assert_eq!(failures().len(), 2);
    assert_eq!(tries(&backend), 0);
}

/// One bad moment of the servers is one refusal, however many calls it meets.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_that_are_refused_at_once_count_once() {
    let (backend, _phone, client) = started().await;
    for tries_so_far in [0, 0, 1] {
        assert!(fifty_refused_together(&backend, &client).await.iter().all(Result::is_err));
        assert_eq!(tries(&backend), tries_so_far);
    }
}

/// What the README tells apps to show.
#[tokio::test]
async fn a_refused_write_is_unknown_and_the_read_after_it_refused_with_a_support_id() {
    let (backend, _phone, client) = started().await;
    *backend.state.nonce.lock().unwrap() = Some("nonce".to_owned());
    client.accounts().await.unwrap();
    backend.state.believe_only(&[]);
    let order = client.transfer(&transfer("1.00"), &IdempotencyKey::new()).await;
    assert_eq!(order.unwrap_err(), Error::OutcomeUnknown);
    assert_eq!(code(&client).await, "oauth.invalid_client_attestation");
    let (before, last) = (client.support_id().unwrap(), backend.state.last_support_id.lock().unwrap().clone());
    assert_eq!(before, last);
}

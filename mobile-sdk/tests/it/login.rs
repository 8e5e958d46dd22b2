//! Enrolment and login: what is sent is checked by the backend, what comes back by the SDK.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mobile_sdk::{Client, Error, PlatformError};
use url::Url;

use super::backend::Switches;
use super::phone::{Navigation, Phone};
use super::world::Backend;

async fn login_with(backend: &Backend, navigation: Box<Navigation>) -> Result<(), Error> {
    let phone = Phone::new(navigation);
    let client = Client::new(backend.config(), phone.platform()).unwrap();
    client.enroll().await.unwrap();
    let result = client.login().await;
    assert_eq!(phone.stored().is_empty(), result.is_err(), "a refresh token exactly after a login");
    result
}

async fn login_when(switches: Switches) -> Result<(), Error> {
    let backend = Backend::start(switches);
    let browser = backend.browser();
    login_with(&backend, browser).await
}

fn with_parameter(url: &Url, name: &str, value: Option<&str>) -> Url {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs).extend_pairs(value.map(|value| (name, value)));
    changed
}

#[tokio::test]
async fn an_honest_login_succeeds_with_and_without_nonces() {
    login_when(Switches::default()).await.unwrap();
    let backend = Backend::start(Switches::default());
    *backend.state.nonce.lock().unwrap() = Some("server nonce".to_owned());
    login_with(&backend, backend.browser()).await.unwrap();
    assert_eq!(backend.state.replayed_proofs.load(Ordering::SeqCst), 0);
}

/// draft-ietf-oauth-attestation-based-client-auth: the attestation is too old for this server.
#[tokio::test]
async fn a_fresh_attestation_is_fetched_when_asked_for_once() {
    let backend = Backend::start(Switches::default());
    backend.state.stale_attestations.store(1, Ordering::SeqCst);
    login_with(&backend, backend.browser()).await.unwrap();
    assert_eq!(backend.state.assertions.load(Ordering::SeqCst), 1);
    backend.state.stale_attestations.store(2, Ordering::SeqCst);
    let error = login_with(&backend, backend.browser()).await.unwrap_err();
    assert_eq!(error.code(), "oauth.use_fresh_attestation");
}

#[tokio::test]
async fn another_state_or_none_or_two_are_refused() {
    let backend = Backend::start(Switches::default());
    let tamper: [fn(Url) -> Url; 3] = [
        |url| with_parameter(&url, "state", Some("guessed")),
        |url| with_parameter(&url, "state", None),
        |mut url| {
            url.query_pairs_mut().append_pair("state", "second");
            url
        },
    ];
    for tamper in tamper {
        assert_eq!(login_with(&backend, backend.tampered(tamper)).await, Err(Error::LoginMismatch("state")));
    }
}

/// RFC 9207: the mix-up attack.
#[tokio::test]
async fn another_issuer_or_none_is_refused() {
    let backend = Backend::start(Switches::default());
    let tamper: [fn(Url) -> Url; 2] =
        [|url| with_parameter(&url, "iss", Some("https://attacker.example")), |url| with_parameter(&url, "iss", None)];
    for tamper in tamper {
        assert_eq!(login_with(&backend, backend.tampered(tamper)).await, Err(Error::LoginMismatch("iss")));
    }
}

#[tokio::test]
async fn another_redirect_and_a_missing_code_are_refused() {
    let backend = Backend::start(Switches::default());
    let elsewhere = backend.tampered(|url| {
        let mut changed = url.clone();
        changed.set_path("/other");
        changed
    });
    assert_eq!(login_with(&backend, elsewhere).await, Err(Error::LoginMismatch("redirect_uri")));
    let without = backend.tampered(|url| with_parameter(&url, "code", None));
    assert_eq!(login_with(&backend, without).await, Err(Error::LoginMismatch("code")));
}

#[tokio::test]
async fn an_error_is_believed_only_with_our_state() {
    let backend = Backend::start(Switches::default());
    let denied = backend.tampered(|url| with_parameter(&url, "error", Some("access_denied")));
    let result = login_with(&backend, denied).await;
    assert_eq!(result.unwrap_err().code(), "oauth.access_denied");
    let forged = backend.tampered(|url| {
        with_parameter(&with_parameter(&url, "error", Some("access_denied")), "state", Some("guessed"))
    });
    assert_eq!(login_with(&backend, forged).await.unwrap_err().code(), "login.mismatch");
}

#[tokio::test]
async fn a_person_may_go_back() {
    let backend = Backend::start(Switches::default());
    let result = login_with(&backend, Box::new(|_, _| Err(PlatformError::Cancelled))).await;
    assert_eq!(result.unwrap_err().code(), "platform.cancelled");
}

#[tokio::test]
async fn a_bearer_token_is_refused() {
    let result = login_when(Switches { token_type: Some("Bearer"), ..Switches::default() }).await;
    assert_eq!(result, Err(Error::Malformed("token_type")));
}

#[tokio::test]
async fn an_id_token_of_another_login_is_refused() {
    let result = login_when(Switches { id_token_nonce: Some("another"), ..Switches::default() }).await;
    assert_eq!(result, Err(Error::LoginMismatch("id_token")));
}

#[tokio::test]
async fn metadata_of_another_issuer_is_refused() {
    let switches = Switches { metadata_issuer: Some("https://attacker.example"), ..Switches::default() };
    assert_eq!(login_when(switches).await.unwrap_err().code(), "response.malformed");
}

#[tokio::test]
async fn calls_before_enrolment_and_login_say_so() {
    let backend = Backend::start(Switches::default());
    let phone = Phone::new(backend.browser());
    let client = Client::new(backend.config(), phone.platform()).unwrap();
    assert_eq!(client.accounts().await, Err(Error::NotEnrolled));
    client.enroll().await.unwrap();
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
    assert_eq!(backend.server.requests(), 2, "a challenge and an attestation, nothing else");
}

#[tokio::test]
async fn a_restarted_app_goes_on_with_what_the_phone_keeps() {
    let backend = Backend::start(Switches::default());
    let (phone, _) = backend.logged_in().await;
    let restarted = Client::new(backend.config(), phone.platform()).unwrap();
    restarted.accounts().await.unwrap();
    assert_eq!(backend.state.assertions.load(Ordering::SeqCst), 1);
    assert_eq!(backend.state.refreshes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_new_instance_forgets_who_was_logged_in() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    assert_eq!(phone.stored().len(), 1);
    client.enroll().await.unwrap();
    assert!(phone.stored().is_empty());
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
}

#[tokio::test]
async fn a_login_without_a_refresh_token_leaves_no_former_one() {
    let backend = Backend::start(Switches { no_refresh_token: true, ..Switches::default() });
    let phone = Phone::new(backend.browser());
    let client = Client::new(backend.config(), phone.platform()).unwrap();
    client.enroll().await.unwrap();
    phone.keep_refresh_token("of a former user");
    client.login().await.unwrap();
    assert!(phone.stored().is_empty());
    client.accounts().await.unwrap();
}

/// RFC 6749 §6: the old refresh token stays good when the answer has no new one.
#[tokio::test]
async fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    let backend = Backend::start(Switches { no_refresh_token: true, ..Switches::default() });
    let (phone, client) = backend.logged_in().await;
    phone.keep_refresh_token("the same");
    backend.state.revoke();
    client.accounts().await.unwrap();
    assert_eq!(phone.refresh_token().as_deref(), Some("the same"));
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_servers_date() {
    let backend = Backend::start(Switches::default());
    for offset in [-3600, 3600] {
        let phone = Phone::new(backend.browser());
        phone.offset.store(offset, Ordering::SeqCst);
        let client = Arc::new(Client::new(backend.config(), phone.platform()).unwrap());
        client.enroll().await.unwrap();
        client.login().await.unwrap();
        client.accounts().await.unwrap();
    }
}

//! From the old instance to the new one: whatever fails and whoever meets, somebody stays logged in who was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use crypto::SecretString;
use mobile_sdk::{Client, Error, KeySlot, Platform, PlatformError, Store};

use super::backend::Switches;
use super::enroll::{FAILURES, keys, recovered};
use super::phone::{Phone, Trouble};
use super::reenroll::{believe_everybody, code, started, with_candidate};
use super::session::until;
use super::world::Backend;

#[tokio::test]
async fn a_try_that_fails_at_any_step_leaves_the_old_instance_as_it_was() {
    for failure in FAILURES {
        for step in 0.. {
            let (backend, phone, client) = started().await;
            backend.state.believe_only(&[]);
            code(&client).await;
            code(&client).await;
            phone.set_trouble(Trouble { after: Some(step), ..failure });
            code(&client).await;
            let is_over = !phone.had_trouble();
            let client = recovered(&backend, &phone, client, failure);
            believe_everybody(&backend);
            client.accounts().await.unwrap();
            let context = format!("step {step} of {failure:?}");
            phone.refresh_token().expect(&context);
            if failure.for_good {
                client.accounts().await.unwrap();
                assert_eq!(keys(&phone), 1, "{context}");
            }
            if is_over {
                assert!(step > 10);
                break;
            }
        }
    }
}

/// Both instances are good, so whichever it is afterwards: nobody has to log in who was logged in.
#[tokio::test]
async fn a_login_under_the_new_instance_that_fails_at_any_step_leaves_one_that_is_logged_in() {
    for failure in FAILURES {
        let mut taken_over = 0;
        for step in 0.. {
            let (backend, phone, client) = with_candidate().await;
            believe_everybody(&backend);
            phone.set_trouble(Trouble { after: Some(step), ..failure });
            let result = client.login().await;
            let is_over = !phone.had_trouble();
            let client = recovered(&backend, &phone, client, failure);
            let context = format!("step {step} of {failure:?}: {result:?}");
            client.accounts().await.expect(&context);
            taken_over += usize::from(phone.jkt(KeySlot::First).is_none());
            if failure.for_good {
                client.accounts().await.expect(&context);
                assert_eq!(keys(&phone), 1, "{context}");
                phone.refresh_token().expect(&context);
            }
            if is_over {
                assert!(step > 8 && taken_over > 1, "{step} {taken_over}");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_does_not_take_the_new_instance_away_from_a_login_under_way() {
    let backend = Backend::start(Switches::default());
    let (honest, arrived, may_go_on) =
        (backend.browser(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let (at_browser, go) = (arrived.clone(), may_go_on.clone());
    let phone = Phone::new(Box::new(move |url, redirect_uri| {
        at_browser.store(true, Ordering::SeqCst);
        while !go.load(Ordering::SeqCst) {
            tokio::task::block_in_place(super::backend::pause);
        }
        honest(url, redirect_uri)
    }));
    let client = backend.restarted(&phone);
    client.enroll().await.unwrap();
    client.login().await.unwrap();
    backend.state.believe_only(&[]);
    for _ in 0..3 {
        code(&client).await;
    }
    believe_everybody(&backend);
    arrived.store(false, Ordering::SeqCst);
    may_go_on.store(false, Ordering::SeqCst);
    let entering = client.clone();
    let login = tokio::spawn(async move { entering.login().await });
    until(|| arrived.load(Ordering::SeqCst)).await;
    client.accounts().await.unwrap();
    may_go_on.store(true, Ordering::SeqCst);
    login.await.unwrap().unwrap();
    client.accounts().await.unwrap();
    assert_eq!((phone.jkt(KeySlot::First), keys(&phone)), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_does_not_outlive_the_instance_that_it_is_of() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    let enrolling = client.clone();
    let honest = backend.browser();
    let runtime = tokio::runtime::Handle::current();
    let reached = Phone::new(Box::new(move |url, redirect_uri| {
        let enrolling = enrolling.clone();
        let enroll = runtime.spawn(async move { enrolling.enroll().await });
        while !enroll.is_finished() {
            tokio::task::block_in_place(super::backend::pause);
        }
        honest(url, redirect_uri)
    }));
    let platform = Platform { browser: reached.platform().browser, ..phone.platform() };
    let other_process = Client::new(backend.config(), platform).unwrap();
    assert_eq!(other_process.login().await, Err(Error::LoginMismatch("instance")));
    assert_eq!(phone.refresh_token(), None);
    assert_eq!(client.accounts().await, Err(Error::LoginRequired));
}

/// Storage of a process that sweeps, while another one enrols.
struct Meanwhile(Arc<dyn Store>, Arc<Client>);

#[async_trait]
impl Store for Meanwhile {
    async fn get(&self, name: &str) -> Result<Option<SecretString>, PlatformError> {
        self.0.get(name).await
    }

    async fn set(&self, name: &str, value: SecretString) -> Result<(), PlatformError> {
        self.0.set(name, value).await
    }

    async fn remove(&self, name: &str) -> Result<(), PlatformError> {
        self.1.enroll().await.unwrap();
        self.0.remove(name).await
    }
}

/// Two processes are one too many; but what is there is not taken for what was left.
#[tokio::test]
async fn a_process_that_sweeps_does_not_destroy_what_another_has_made_meanwhile() {
    let backend = Backend::start(Switches::default());
    let (phone, client) = backend.logged_in().await;
    // After the key is noted, and before it is made.
    phone.set_trouble(Trouble { after: Some(3), unheard: false, for_good: true });
    client.enroll().await.unwrap_err();
    phone.set_trouble(Trouble::default());
    let platform = phone.platform();
    let store = Arc::new(Meanwhile(platform.store.clone(), client.clone()));
    let other_process = Client::new(backend.config(), Platform { store, ..platform }).unwrap();
    other_process.accounts().await.unwrap_err();
    assert_eq!((phone.jkt(KeySlot::First), keys(&phone)), (None, 1));
    client.login().await.unwrap();
    client.accounts().await.unwrap();
}

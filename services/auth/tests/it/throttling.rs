//! How often somebody may try, and what a flood of logins costs.

use std::num::NonZeroUsize;

use crypto::password::Params;

use crate::browser::{Browser, PASSWORD, tokens};
use crate::draft::{Client, Reply};
use crate::world::World;

async fn fail(world: &World, client: &Client, email: &str) -> Reply {
    let (mut browser, _) = Browser::at_login(world, client).await;
    browser.log_in(email, "not the right password").await
}

#[tokio::test]
async fn five_failures_block_a_known_and_an_unknown_address_alike() {
    let world = World::start_without_captcha().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let known = browser.register_anybody().await;
    for email in [known.as_str(), "nobody@example.org"] {
        for _ in 0..5 {
            assert_eq!(fail(&world, &Client::app(), email).await.status, 422);
        }
        let reply = fail(&world, &Client::app(), email).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (429, "login/blocked"), "{email}");
        assert_eq!(reply.header("retry-after").as_deref(), Some("30"));
        assert!(reply.text.contains("Try again in 30 seconds"));
    }
    // The right password is not even looked at, and not told from a wrong one.
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.log_in(&known, PASSWORD).await.status, 429);
    world.clock.advance(30);
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.log_in(&known, PASSWORD).await.status, 303);
    assert_eq!(fail(&world, &Client::app(), &known).await.status, 422, "a success begins a new count");
}

#[tokio::test]
async fn many_tries_at_once_are_many_tries() {
    let world = World::start_without_captcha().await;
    let mut browsers = Vec::new();
    for _ in 0..16 {
        browsers.push(Browser::at_login(&world, &Client::app()).await.0);
    }
    let tries = browsers.iter_mut().map(|browser| browser.log_in("somebody@example.org", "not the right password"));
    let replies = futures_util::future::join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 422).count(), 5);
    assert_eq!(replies.iter().filter(|reply| reply.status == 429).count(), 11);
}

/// Somebody new logs in with this client and has tokens; their address.
async fn somebody_with(world: &World, client: &Client) -> String {
    let (mut browser, pushed) = Browser::at_login(world, client).await;
    let email = browser.register_anybody().await;
    let code = crate::browser::parameter(&browser.decide("allow").await, "code").unwrap();
    assert_eq!(client.redemption(world, &code, &pushed.verifier).await.send(world).await.status, 200);
    email
}

#[tokio::test]
async fn a_stranger_does_not_lock_the_owner_out_of_their_own_phone() {
    let world = World::start_without_captcha().await;
    let phone = Client::app();
    let email = somebody_with(&world, &phone).await;
    for _ in 0..6 {
        fail(&world, &Client::app(), &email).await;
    }
    assert_eq!(fail(&world, &Client::app(), &email).await.status, 429);
    let (mut browser, _) = Browser::at_login(&world, &phone).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303);
    // Whoever has only *a* phone that somebody uses is a stranger.
    let other = Client::app();
    tokens(&world, &other).await;
    assert_eq!(fail(&world, &other, &email).await.status, 429);
}

/// One key of a server stands for all the people who use it, so it is nobody's device.
#[tokio::test]
async fn a_web_clients_key_makes_no_device_known() {
    let world = World::start_without_captcha().await;
    let web = Client::partner(&world);
    let known = somebody_with(&world, &web).await;
    for email in [known.as_str(), "nobody-on-the-web@example.org"] {
        for _ in 0..5 {
            fail(&world, &Client::app(), email).await;
        }
        assert_eq!(fail(&world, &web, email).await.status, 429, "{email}: known and unknown alike");
    }
}

/// A thumbprint is no secret; whoever names one has not shown the key.
#[tokio::test]
async fn a_device_that_is_only_named_does_not_lock_its_owner_out() {
    let world = World::start_without_captcha().await;
    let phone = Client::app();
    let email = somebody_with(&world, &phone).await;
    let web = Client::partner(&world);
    for _ in 0..6 {
        let (mut draft, _) = web.par(&world).await;
        draft.proof = None;
        draft.set("dpop_jkt", &phone.jkt());
        let request_uri = draft.send(&world).await.member("request_uri");
        let mut stranger = Browser::new(&world);
        stranger.open(web.id(), &request_uri).await;
        stranger.log_in(&email, "not the right password").await;
    }
    let (mut browser, _) = Browser::at_login(&world, &phone).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303, "the owner's own phone");
}

#[tokio::test]
async fn a_flood_of_logins_waits_a_little_and_is_then_told_to_come_back() {
    let world = World::start_with(|config| {
        config.password.params = Params { memory_kib: 64 * 1024, iterations: 8, parallelism: 1 };
        config.password.concurrency = NonZeroUsize::new(1);
        config.password.max_wait_millis = 50;
    })
    .await;
    let mut browsers = Vec::new();
    for _ in 0..6 {
        browsers.push(Browser::at_login(&world, &Client::app()).await.0);
    }
    let emails: Vec<_> = (0..6).map(|number| format!("flood-{number}@example.org")).collect();
    let tries = browsers.iter_mut().zip(&emails).map(|(browser, email)| browser.log_in(email, PASSWORD));
    let replies = futures_util::future::join_all(tries).await;
    let busy: Vec<_> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(!busy.is_empty() && replies.iter().any(|reply| reply.status == 422));
    // What was never looked at does not count against anybody.
    for (reply, email) in replies.iter().zip(&emails).filter(|(reply, _)| reply.status == 503) {
        assert_eq!(failures(&world, email).await, 0, "{}", reply.text);
    }
    for reply in busy {
        assert_eq!(
            (reply.header("retry-after").as_deref(), reply.refusal().as_str()),
            (Some("1"), "availability/password_queue_full")
        );
        assert!(reply.text.contains("busy"));
    }
}

#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_known_one() {
    let world = World::start_with(|config| {
        config.password.params = Params { memory_kib: 16 * 1024, iterations: 2, parallelism: 1 };
    })
    .await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..4 {
        let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
        let email = browser.register_anybody().await;
        for _ in 0..4 {
            known.push(time_of_failure(&world, &email).await);
            unknown.push(time_of_failure(&world, &format!("nobody-{round}@example.org")).await);
        }
    }
    let ratio = median(&mut known) / median(&mut unknown);
    // Without the dummy hash the ratio is above ten; the bound leaves room for a busy machine.
    assert!((0.5..2.0).contains(&ratio), "{ratio}");
}

#[expect(clippy::disallowed_methods, reason = "real time is what a stranger measures")]
async fn time_of_failure(world: &World, email: &str) -> f64 {
    let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
    let started = std::time::Instant::now();
    assert_eq!(browser.log_in(email, "not the right password").await.status, 422);
    started.elapsed().as_secs_f64()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// How many failures of an address the server has counted: as many as are missing to a block.
async fn failures(world: &World, email: &str) -> usize {
    for tries in 0..=5 {
        let (mut browser, _) = Browser::at_login(world, &Client::app()).await;
        if browser.log_in(email, "x").await.status == 429 {
            return 5 - tries;
        }
    }
    0
}

//! What is single use, used by many at once.

use futures_util::future::join_all;

use crate::browser::{Browser, PASSWORD, address, code, parameter};
use crate::draft::Client;
use crate::world::{APP, World};

const MANY: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn of_64_redemptions_of_one_code_exactly_one_wins() {
    let world = World::start().await;
    let client = Client::app();
    let (code, verifier) = code(&world, &client).await;
    let mut drafts = Vec::new();
    for _ in 0..MANY {
        drafts.push(client.redemption(&world, &code, &verifier).await);
    }
    let replies = join_all(drafts.iter().map(|draft| draft.send(&world))).await;
    let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(won.len(), 1, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(
            (reply.member("error").as_str(), reply.refusal().as_str()),
            ("invalid_grant", "authorization_code/code_reused")
        );
    }
    // The losers have shown that the code was in two hands.
    let refreshed = client.refresh(&world, &won[0].member("refresh_token")).await.send(&world).await;
    assert_eq!(refreshed.refusal(), "refresh_token/grant_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_answers_to_one_request_exactly_one_counts() {
    let world = World::start().await;
    let client = Client::app();
    let pushed = client.push(&world).await;
    let mut browsers = Vec::new();
    for _ in 0..8 {
        let mut browser = Browser::new(&world);
        browser.open(APP, &pushed.request_uri).await;
        browser.register_anybody().await;
        browsers.push(browser);
    }
    // Each browser presses the button several times.
    let mut presses: Vec<_> = (0..MANY).map(|number| browsers[number % browsers.len()].clone()).collect();
    let replies = join_all(presses.iter_mut().map(|browser| browser.post("/consent", &[("decision", "allow")]))).await;
    let answered: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(answered.len(), 1, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    let url = answered[0].goes_on_to().parse().unwrap();
    let code = parameter(&url, "code").unwrap();
    assert_eq!(client.redemption(&world, &code, &pushed.verifier).await.send(&world).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_registrations_of_one_address_exactly_one_wins() {
    let world = World::start().await;
    let email = address();
    let mut browsers = Vec::new();
    for _ in 0..16 {
        browsers.push(Browser::at_login(&world, &Client::app()).await.0);
    }
    let replies = join_all(browsers.iter_mut().enumerate().map(|(number, browser)| {
        let spelled = if number % 2 == 0 { email.clone() } else { email.to_uppercase() };
        async move { browser.register("Alice", &spelled, PASSWORD).await }
    }))
    .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 303).count(), 1);
    for reply in replies.iter().filter(|reply| reply.status != 303) {
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "register/address_taken"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_uses_of_one_assertion_exactly_one_wins() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (draft, _) = client.par(&world).await;
    let assertion = draft.assertion.clone().unwrap().make();
    let mut drafts = vec![draft; MANY];
    for draft in &mut drafts {
        draft.set("client_assertion", &assertion);
        draft.proof().jti = crypto::random::token(16);
    }
    let replies = join_all(drafts.iter().map(|draft| draft.send(&world))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.refusal(), "client_authentication/assertion_replayed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_uses_of_one_proof_exactly_one_wins() {
    let world = World::start().await;
    let (draft, _) = Client::app().par(&world).await;
    let proof = draft.proof.clone().unwrap().make();
    let mut drafts = vec![draft; MANY];
    for draft in &mut drafts {
        draft.proof = None;
        draft.extra.push(("dpop", proof.clone()));
    }
    let replies = join_all(drafts.iter().map(|draft| draft.send(&world))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_refresh_token_may_be_used_by_many_threads_of_its_phone() {
    let world = World::start().await;
    let client = Client::app();
    let token = crate::browser::tokens(&world, &client).await.member("refresh_token");
    let mut drafts = Vec::new();
    for _ in 0..16 {
        drafts.push(client.refresh(&world, &token).await);
    }
    let replies = join_all(drafts.iter().map(|draft| draft.send(&world))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
}

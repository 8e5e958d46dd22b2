//! The store that all processes of the ledger share, a real Redis, goes away while they work.

use defense::config::{Rate, Rates};
use reqwest::{Method, Request};
use serde_json::json;
use testkit::redis::{Server as Redis, shared};

use crate::world::{IBAN, World, transfer, until};

/// A user's reads in an hour, of each process by itself when it is left alone.
const READS: u32 = 30;

async fn status(world: &World, request: &Request) -> u16 {
    world.public.execute(request.try_clone().unwrap()).await.unwrap().status().as_u16()
}

/// A ledger that has reached its store, with some rates of its own.
async fn ledger_on(redis: &Redis, rates: impl FnOnce(&mut Rates)) -> World {
    let store = shared(redis).unwrap();
    let world = World::start_where(|config| {
        config.defense.shared_store = Some(store);
        rates(&mut config.defense.rates);
    })
    .await;
    until(async || world.health().await.0 == 200).await;
    world
}

#[tokio::test]
async fn without_the_store_money_is_refused_and_reads_go_on_within_a_bound() {
    let Some(mut redis) = testkit::redis::start() else { return };
    let world = ledger_on(&redis, |rates| rates.user = Rate { units: READS, seconds: 3_600 }).await;
    assert_eq!(world.health().await.1, json!({ "status": "ready" }));
    let alice = world.phone("alice").await;
    let (from, to) = (world.open_with(&alice, "10.00", "EUR").await, world.open(&alice, "EUR").await);
    let read = |path: &str| alice.request(Method::GET, &world.url(path), None).build().unwrap();
    let before = read("/v1/accounts");
    assert_eq!(status(&world, &before).await, 200);

    redis.kill();
    let payout = json!({ "from_account": from, "amount": { "amount": "1.00", "currency": "EUR" }, "reference": "Rent",
        "creditor": { "name": "Bob", "iban": IBAN } });
    let account = json!({ "currency": "EUR", "name": "Main" });
    let money = [("/v1/transfers", transfer(&from, &to, "1.00")), ("/v1/payouts", payout), ("/v1/accounts", account)];
    for (path, body) in &money {
        let reply = world.post(&alice, path, body).await;
        assert_eq!((reply.status, reply.headers.contains_key("retry-after")), (503, true), "{path}: {:?}", reply.body);
    }
    // Reads go on, signed; none is taken twice, whether it was used before the store went or after.
    assert_eq!(world.balance(&alice, &from).await, "10.00");
    assert_eq!(status(&world, &before).await, 401, "a replay from before");
    let after = read(&format!("/v1/accounts/{from}"));
    assert_eq!((status(&world, &after).await, status(&world, &after).await), (200, 401));
    let mut answers = Vec::new();
    for _ in 0..=READS {
        let reply = world.get(&alice, "/v1/accounts").await;
        assert!(reply.status == 429 || reply.authentic, "{:?}", reply.body);
        answers.push(reply.status);
    }
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 28, "with the two above: {answers:?}");
    assert_eq!(answers.last(), Some(&429));
    let (ready, said) = world.health().await;
    assert_eq!((ready, &said["status"]), (200, &json!("degraded")), "whoever reads is still served");
    assert!(said["missing"][0].as_str().unwrap().starts_with("the shared store: "), "{said}");

    redis.restart().unwrap();
    until(async || world.health().await.1["status"] == "ready").await;
    assert_eq!(world.post(&alice, "/v1/transfers", &transfer(&from, &to, "1.00")).await.status, 201);
    // The store knows neither of them: one was used while it was away, the other it has forgotten.
    assert_eq!((status(&world, &before).await, status(&world, &after).await), (401, 401));
}

/// Whoever asks for what is not there is stopped by the failures that this process counts.
#[tokio::test]
async fn without_the_store_failures_are_counted_all_the_same() {
    let Some(mut redis) = testkit::redis::start() else { return };
    let world = ledger_on(&redis, |rates| rates.failures = Rate { units: 5, seconds: 3_600 }).await;
    let alice = world.phone("alice").await;
    redis.kill();
    let mut answers = Vec::new();
    for _ in 0..8 {
        let path = format!("/v1/accounts/{}", uuid::Uuid::new_v4());
        answers.push(world.get(&alice, &path).await.status);
    }
    assert_eq!(answers, [404, 404, 404, 404, 404, 429, 429, 429]);
}

#[tokio::test]
async fn a_process_that_has_never_reached_its_store_is_not_ready() {
    let Some(mut redis) = testkit::redis::start() else { return };
    let store = shared(&redis).unwrap();
    redis.kill();
    let world = World::start_where(|config| config.defense.shared_store = Some(store)).await;
    for _ in 0..5 {
        let (status, said) = world.health().await;
        assert_eq!(status, 503);
        assert!(said["detail"].as_str().unwrap().starts_with("the shared store: "), "{said}");
    }
    redis.restart().unwrap();
    until(async || world.health().await.0 == 200).await;
}

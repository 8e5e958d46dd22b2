//! The store that all processes of auth share, a real Redis: with two processes on it, and when it goes away.

use std::sync::Arc;

use auth::Auth;
use auth::config::Config;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::redis::{Server as Redis, shared};
use testkit::scene;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::browser::{Browser, PASSWORD};
use crate::draft::{Client, Reply};
use crate::world::World;

async fn health(world: &World) -> (u16, Value) {
    scene::health(&world.running, &world.pki).await.unwrap()
}

async fn until_ready(world: &World) {
    scene::until_ready(&world.running, &world.pki).await;
}

#[tokio::test]
async fn without_the_store_nobody_logs_in_or_gets_tokens_and_what_all_may_read_is_there() {
    let Some(mut redis) = testkit::redis::start() else { return };
    let store = shared(&redis).unwrap();
    let world = World::start_with(|config| config.defense.shared_store = Some(store)).await;
    until_ready(&world).await;
    let web = Client::partner(&world);
    let (mut browser, _) = Browser::at_login(&world, &web).await;
    let email = browser.register_anybody().await;
    let (mut browser, _) = Browser::at_login(&world, &web).await;

    redis.kill();
    let unavailable = |reply: &Reply, what: &str| {
        assert_eq!((reply.status, reply.header("retry-after").is_some()), (503, true), "{what}: {}", reply.text);
    };
    unavailable(&browser.log_in(&email, PASSWORD).await, "login");
    unavailable(&browser.register("Bob", "bob@example.org", PASSWORD).await, "registration");
    // Nobody tries codes where nobody counts.
    for path in ["/code", "/approve", "/second-factor", "/second-factor/new", "/second-factor/passkey"] {
        unavailable(&browser.post(path, &[("code", "123456")]).await, path);
    }
    for path in ["/token", "/par", "/userinfo"] {
        let reply = Reply::read(world.http.post(world.url(path)).send().await.unwrap()).await;
        unavailable(&reply, path);
    }
    for path in ["/jwks.json", "/.well-known/openid-configuration", "/style.css"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
    assert_eq!(browser.get("/login").await.status, 200);
    let (status, said) = health(&world).await;
    assert_eq!((status, &said["status"]), (200, &json!("degraded")));
    assert!(said["missing"][0].as_str().unwrap().starts_with("the shared store: "), "{said}");

    redis.restart().unwrap();
    until_ready(&world).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303);
}

/// Two processes on one database and one store. The same request, assertion and proof and all, at both at once.
#[tokio::test]
async fn one_request_at_two_processes_is_taken_by_one_of_them_once() {
    let Some(redis) = testkit::redis::start() else { return };
    let store = shared(&redis).unwrap();
    let mut config: Option<Config> = None;
    let world = World::start_with(|given| {
        given.defense.shared_store = Some(store);
        config = Some(given.clone());
    })
    .await;
    until_ready(&world).await;
    let other = runtime::start::<Auth>(config.unwrap(), Arc::<testkit::clock::ManualClock>::clone(&world.clock)).await;
    let other = other.unwrap();
    let elsewhere = format!("https://localhost:{}/par", other.public.unwrap().port());
    let mut taken = Vec::new();
    for client in [Client::app(), Client::partner(&world)].iter().cycle().take(8) {
        let (request, _) = client.par(&world).await;
        let sends = (0..16).map(|number| {
            let url = if number % 2 == 0 { world.url("/par") } else { elsewhere.clone() };
            request.send_to(&world, url)
        });
        let replies = join_all(sends).await;
        let said = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
        let words = || replies.iter().map(|reply| (reply.status, &reply.text)).collect::<Vec<_>>();
        assert!(replies.iter().all(|reply| [201, 400, 401, 503].contains(&reply.status)), "{:?}", words());
        // On a busy machine the store's answer to the one who was first may come too late: then it is nobody's.
        assert!(said(201) == 1 || (said(201) == 0 && said(503) > 0), "{:?}", words());
        taken.push(said(201));
    }
    // Of both clients.
    for first in [0, 1] {
        assert!(taken.iter().skip(first).step_by(2).any(|taken| *taken == 1), "the store never answered in time");
    }
    other.stop().await.unwrap();
    // A nonce is one process's own, so the proofs were kept apart before they came to it; but it is where they are remembered.
    assert!(holds(&redis, "redoubt:{auth}:once:dpop_proof").await);
}

/// Whether there is such a key in it.
async fn holds(redis: &Redis, key: &str) -> bool {
    let url = redis.url();
    let (password, address) = url.strip_prefix("redis://:").unwrap().split_once('@').unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("AUTH {password}\r\nEXISTS {key}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said.contains(":1\r\n")
}

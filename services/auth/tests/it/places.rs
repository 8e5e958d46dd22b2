//! From where somebody logs in, fails to, or goes on, as behavior is told it: by the synthetic table of development, in which loopback addresses lie in countries.

use std::path::PathBuf;

use futures_util::future::join_all;
use runtime::places::PlacesConfig;
use serde_json::{Value, json};
use testkit::server;

use crate::behavior::{Behavior, all_told};
use crate::browser::{Browser, PASSWORD, tokens};
use crate::draft::Client;
use crate::world::World;

const HOUR: i64 = 3_600;

fn table() -> PlacesConfig {
    PlacesConfig { file: Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../dev.places.csv"))) }
}

async fn world(behavior: &Behavior) -> World {
    let url = behavior.server.url();
    World::start_with(|config| (config.behavior_url, config.places) = (Some(url), table())).await
}

/// From now on the world's requests come from there.
fn moves(world: &mut World, address: &str) {
    world.http = server::client_at(&world.pki.public_ca(), address.parse().unwrap()).unwrap();
}

/// What was told of this kind, the country and the network of each.
fn told(behavior: &Behavior, kind: &str) -> Vec<(String, String)> {
    let told = behavior.told().into_iter().filter(|event| event["kind"] == kind);
    let place = |event: Value| ["country", "network"].map(|name| event["place"][name].as_str().unwrap().to_owned());
    told.map(|event| place(event).into()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_and_a_failed_one_are_told_with_country_and_network_and_no_address() {
    let behavior = Behavior::start().await;
    let mut world = world(&behavior).await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let email = browser.register_anybody().await;
    moves(&mut world, "127.48.0.9");
    world.clock.advance(1);
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.log_in(&email, "not the right password").await.status, 422);
    moves(&mut world, "127.16.0.9");
    world.clock.advance(1);
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303);
    all_told(&world).await;
    let (logins, failed) = (told(&behavior, "login"), told(&behavior, "failed_login"));
    let countries: Vec<&str> = logins.iter().chain(&failed).map(|(country, _)| country.as_str()).collect();
    assert_eq!(countries, ["DE", "DE", "SG"]);
    assert_ne!(logins[0].1, logins[1].1, "the networks of two operators");
    for event in behavior.told() {
        let said: Vec<&String> = event["place"].as_object().unwrap().keys().collect();
        assert_eq!(said, ["country", "network"]);
        assert_eq!(event["place"]["network"].as_str().map(str::len), Some(16), "no operator's number");
        assert!(!event.to_string().contains("127."), "no address: {event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_elsewhere_is_told_of_once_and_who_stays_once_an_hour() {
    let behavior = Behavior::start().await;
    let mut world = world(&behavior).await;
    let phone = Client::app();
    let token = tokens(&world, &phone).await.member("refresh_token");
    let mut seen = Vec::new();
    for (address, pause, countries) in [
        ("127.0.0.1", 300, &["DE"][..]),
        ("127.0.0.1", 300, &[]),
        ("127.16.0.1", 300, &["DE"]),
        ("127.48.0.1", 300, &["SG"]),
        ("127.200.0.1", 300, &[]),
        ("127.48.0.1", 300, &[]),
        ("127.48.0.1", HOUR, &["SG"]),
    ] {
        moves(&mut world, address);
        world.clock.advance(pause);
        let mut drafts = Vec::new();
        for _ in 0..16 {
            drafts.push(phone.refresh(&world, &token).await);
        }
        let replies = join_all(drafts.iter().map(|draft| draft.send(&world))).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{address}");
        all_told(&world).await;
        seen.extend(countries.iter().map(|&country| country.to_owned()));
        let told: Vec<String> = told(&behavior, "seen").into_iter().map(|(country, _)| country).collect();
        assert_eq!(told, seen, "from {address}: sixteen at once leave one word");
    }
    // Where a server is, says nothing of the person.
    let partner = Client::partner(&world);
    let token = tokens(&world, &partner).await.member("refresh_token");
    assert_eq!(partner.refresh(&world, &token).await.send(&world).await.status, 200);
    all_told(&world).await;
    assert_eq!(told(&behavior, "seen").len(), seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_table_nothing_is_said_of_places() {
    let behavior = Behavior::start().await;
    let world = behavior.world().await;
    let phone = Client::app();
    let token = tokens(&world, &phone).await.member("refresh_token");
    assert_eq!(phone.refresh(&world, &token).await.send(&world).await.status, 200);
    all_told(&world).await;
    let told = behavior.told();
    assert!(
        !told.is_empty() && told.iter().all(|event| event.get("place").is_none() && event["kind"] != json!("seen")),
        "{told:?}"
    );
}

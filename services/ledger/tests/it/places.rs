//! From where a payment is asked for, as behavior is asked about it: by the synthetic table of development, in which loopback addresses lie in countries.

use serde_json::Value;

use crate::risk::{Analytics, asking};
use crate::world::{World, transfer};

/// The question about a payment of these cents.
async fn question(world: &World, analytics: &Analytics, cents: &str) -> Value {
    let (alice, bob) = (world.phone("alice").await, world.phone("bob").await);
    let (hers, his) = (world.open_with(&alice, "100.00", "EUR").await, world.open(&bob, "EUR").await);
    let reply = world.post(&alice, "/v1/transfers", &transfer(&hers, &his, cents)).await;
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    analytics.questions().pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_says_country_and_network_where_a_table_knows_them_and_never_the_address() {
    let (mut world, analytics) = asking(10_000).await;
    assert_eq!(question(&world, &analytics, "10.00").await.get("place"), None, "there is no table");
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev.places.csv");
    world.start_again_where(|config| config.places.file = Some(table.into())).await;
    let asked = question(&world, &analytics, "11.00").await;
    assert_eq!(asked["place"]["country"], "DE");
    assert_eq!(asked["place"]["network"].as_str().map(str::len), Some(16));
    let said: Vec<&String> = asked["place"].as_object().unwrap().keys().collect();
    assert_eq!(said, ["country", "network"]);
    assert!(!asked.to_string().contains("127."), "{asked}");
    // What lies nowhere has no place.
    let elsewhere = std::env::temp_dir().join(format!("redoubt-elsewhere-{}", std::process::id()));
    std::fs::write(&elsewhere, "first,last,country,asn\n192.0.2.0,192.0.2.255,DE,64496\n").unwrap();
    world.start_again_where(|config| config.places.file = Some(elsewhere.clone())).await;
    assert_eq!(question(&world, &analytics, "12.00").await.get("place"), None);
    std::fs::remove_file(&elsewhere).unwrap();
}

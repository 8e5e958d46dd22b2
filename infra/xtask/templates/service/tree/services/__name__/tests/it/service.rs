//! Who may come in, and how the service starts.

use std::sync::Arc;

use __name__::config::Notes;
use __name__::{MIGRATIONS, __Name__};
use runtime::Service as _;
use testkit::clock::ManualClock;
use testkit::database::TestDatabase;
use testkit::pki::Pki;
use testkit::server;

use crate::world::{World, config};

#[test]
fn every_route_is_for_peers_and_none_is_public() {
    let routes = __Name__::describe();
    assert!(!routes.is_empty());
    assert!(routes.iter().all(|route| route.listener == "internal" && route.guard.starts_with("Peer<")), "{routes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_lets_in_whom_it_is_for_and_nobody_else() {
    let world = World::new().await;
    assert_eq!(world.running.public, None);
    let id = world.id();
    for peer in world.peers() {
        for reply in [world.put(peer, &id, "called back").await, world.get(peer, &id).await] {
            if peer == "operator" {
                assert_eq!(reply.status, 200, "{reply:?}");
            } else {
                assert_eq!(reply.problem(), (403, "auth.forbidden", ""), "{peer}");
                assert_eq!(reply.refused, ["authorization/peer_not_allowed"], "{peer}");
            }
        }
    }
    assert_eq!(world.notes().await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_certificate_of_the_house_has_no_connection() {
    let world = World::new().await;
    let elsewhere = Pki::temporary().unwrap();
    for identity in [None, Some(elsewhere.internal("operator"))] {
        let client = server::client(&world.pki.internal_ca(), identity.as_ref()).unwrap();
        let refused = client.get(world.url("/health/ready")).send().await.unwrap_err();
        assert!(refused.is_connect() || refused.is_request(), "{refused:?}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_the_table_does_not_have_stops_the_start() {
    let pki = Pki::temporary().unwrap();
    let database = TestDatabase::create("__name__", MIGRATIONS).await.unwrap();
    for longest in [0, 1001] {
        let mut config = config(&pki, &database);
        config.notes = Notes { longest };
        let started = runtime::start::<__Name__>(config, Arc::new(ManualClock::now())).await;
        let error = format!("{:#}", started.err().unwrap());
        assert!(error.contains(&format!("notes.longest is {longest}")), "{error}");
    }
}

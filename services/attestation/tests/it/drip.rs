//! A client that sends a byte now and then holds no route for long.

use runtime::Service as _;
use testkit::drip::walk;
use testkit::raw;

use crate::world::World;

#[tokio::test]
async fn no_route_waits_for_a_body_that_drips() {
    let world = World::new().await;
    let routes = attestation::Attestation::describe();
    let all = routes.len() * 4;
    let drips = walk(routes, &world.drips()).await.unwrap();
    assert_eq!(drips.len(), all);
    for drip in drips {
        drip.assert_let_go();
    }
}

#[tokio::test]
async fn no_listener_reads_a_request_in_two_ways() {
    let world = World::new().await;
    for heard in raw::play(vec![raw::honest()], &world.drips()).await.unwrap() {
        assert_eq!(heard.statuses, [404], "{heard:?}");
    }
    let mut heard = raw::play(raw::tricks(), &world.drips()).await.unwrap();
    heard.retain(|heard| !heard.is_refused());
    assert!(heard.is_empty(), "{heard:#?}");
    assert_eq!(raw::let_wait(&world.drips()).await.unwrap(), Vec::<String>::new());
}

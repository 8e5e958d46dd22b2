//! A client that sends a byte now and then holds no route for long.

use runtime::Service as _;
use testkit::drip::{line_feeds, walk};

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
async fn no_listener_takes_a_head_whose_lines_end_with_lf_alone() {
    let world = World::new().await;
    assert_eq!(line_feeds(&world.drips()).await.unwrap(), [400, 400]);
}

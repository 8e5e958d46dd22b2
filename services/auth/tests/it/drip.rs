//! A client that sends a byte now and then holds no route for long.

use runtime::Service as _;
use testkit::drip::{Framing, walk};
use testkit::raw;

use crate::world::World;

#[tokio::test]
async fn no_route_waits_for_a_body_that_drips() {
    let world = World::start().await;
    let routes = auth::Auth::describe();
    let all = routes.len() * 4;
    let drips = walk(routes, &world.drips()).await.unwrap();
    assert_eq!(drips.len(), all);
    for drip in drips {
        drip.assert_let_go();
        // A form is read: what is announced above the limit is refused at once, and what drips is given up.
        let is_form = drip.media_type.ends_with("form-urlencoded");
        if drip.route.method == "POST" && drip.route.path != "/userinfo" && is_form {
            let expected = if drip.framing == Framing::Length { 413 } else { 408 };
            assert_eq!(drip.answer.map(|(status, _)| status), Some(expected), "{drip:?}");
        }
    }
}

#[tokio::test]
async fn no_listener_reads_a_request_in_two_ways() {
    let world = World::start().await;
    for heard in raw::play(vec![raw::honest()], &world.drips()).await.unwrap() {
        assert_eq!(heard.statuses, [404], "{heard:?}");
    }
    let mut heard = raw::play(raw::tricks(), &world.drips()).await.unwrap();
    heard.retain(|heard| !heard.is_refused());
    assert!(heard.is_empty(), "{heard:#?}");
}

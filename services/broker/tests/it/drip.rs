//! A client that sends a byte now and then holds no route for long.

use runtime::Service as _;
use testkit::drip::walk;
use testkit::raw;

use crate::bench::Bench;

#[tokio::test]
async fn no_route_waits_for_a_body_that_drips() {
    let bench = Bench::start().await;
    let routes = broker::Broker::describe();
    let all = routes.len() * 4;
    let drips = walk(routes, &bench.drips()).await.unwrap();
    assert_eq!(drips.len(), all);
    for drip in drips {
        drip.assert_let_go();
    }
}

#[tokio::test]
async fn no_listener_reads_a_request_in_two_ways() {
    let bench = Bench::start().await;
    for heard in raw::play(vec![raw::honest()], &bench.drips()).await.unwrap() {
        assert_eq!(heard.statuses, [404], "{heard:?}");
    }
    let mut heard = raw::play(raw::tricks(), &bench.drips()).await.unwrap();
    heard.retain(|heard| !heard.is_refused());
    assert!(heard.is_empty(), "{heard:#?}");
    assert_eq!(raw::let_wait(&bench.drips()).await.unwrap(), Vec::<String>::new());
}

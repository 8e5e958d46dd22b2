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
        let is_form = drip.route.listener == "public" && drip.media_type.ends_with("form-urlencoded");
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

/// Whom the head condemns is told so at once, and has sent nothing; who is to go on is told when somebody reads.
#[tokio::test]
async fn who_waits_before_the_body_is_told_to_go_on_only_by_who_reads_it() {
    let world = World::start().await;
    assert_eq!(raw::let_wait(&world.drips()).await.unwrap(), Vec::<String>::new());
    let form = |length: usize| {
        let head = format!("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
        let head = head + "Content-Type: application/x-www-form-urlencoded\r\n";
        raw::Waiter { name: "a form", head, body: b"a=b&c".to_vec() }
    };
    // A form that is read, and one that is announced too large for it.
    for (length, expected) in [(5, &[100, 400][..]), (2 << 20, &[413])] {
        let told = raw::wait(&form(length), &world.drips()).await.unwrap();
        let told = told.into_iter().find(|(listener, _)| *listener == "public").unwrap().1;
        assert_eq!(told, expected, "{length} bytes");
    }
}

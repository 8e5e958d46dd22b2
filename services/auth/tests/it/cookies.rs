//! The browser's cookies, as a neighbour under another name of our domain would plant them, and as a person with two tabs
//! has them.

use crate::browser::{Browser, PASSWORD, address, parameter};
use crate::draft::Client;
use crate::world::{APP, APP_REDIRECT, World};

#[tokio::test]
async fn a_cookie_of_another_name_does_not_pass_for_ours_and_does_not_hide_it() {
    let world = World::start_without_captcha().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let (mut foreign, _) = Browser::at_login(&world, &Client::app()).await;
    let (name, evil) = (browser.cookies[0].0.clone(), foreign.cookies.remove(0).1);
    let escaped = name.replacen('_', "%5F", 1);
    let planted: [Vec<u8>; 12] = [
        // What a lenient parser takes for our name: escapes, spaces of Unicode, control characters, other case.
        format!("{escaped}={evil}; ").into_bytes(),
        format!("\u{a0}{name}={evil}; ").into_bytes(),
        format!("\u{2003}{name}={evil}; ").into_bytes(),
        format!("{name}\u{3000}={evil}; ").into_bytes(),
        format!("a=b;\t{name}={evil}; ").into_bytes(),
        format!("a=b;  {name}={evil}; ").into_bytes(),
        format!("{}={evil}; ", name.to_uppercase()).into_bytes(),
        format!("={name}={evil}; ").into_bytes(),
        // What makes it give up on all of them.
        b"a=\xff; ".to_vec(),
        b"\xff\xfe=1; ".to_vec(),
        b"%ff=%c3%28; ".to_vec(),
        b"no value; ; =; ".to_vec(),
    ];
    for planted in planted {
        browser.planted.clone_from(&planted);
        let page = browser.get("/login").await;
        assert_eq!(page.status, 200, "{} {}", String::from_utf8_lossy(&planted), page.text);
        browser.log_in("", "").await;
    }
    let reply = browser.register("Alice Adams", &address(), PASSWORD).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    browser.get("/consent").await;
    assert!(browser.decide("allow").await.as_str().starts_with(APP_REDIRECT));
}

#[tokio::test]
async fn two_cookies_of_our_name_are_as_good_as_none() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let (name, value) = browser.cookies[0].clone();
    for second in [value.as_str(), "another", ""] {
        browser.planted = format!("{name}={second}; ").into_bytes();
        for reply in [browser.get("/login").await, browser.log_in("a@b.example", PASSWORD).await] {
            assert_eq!((reply.status, reply.refusal().as_str()), (400, "cookie/cookie_doubled"), "{second}");
        }
    }
    // In two header fields as well.
    let request = world.http.get(world.url(&format!("/login?{}", browser.tab)));
    let request = request.header("cookie", format!("{name}={value}")).header("cookie", format!("{name}=another"));
    let reply = crate::draft::Reply::read(request.send().await.unwrap()).await;
    assert_eq!((reply.status, reply.refusal().as_str()), (400, "cookie/cookie_doubled"));
}

#[tokio::test]
async fn longer_cookies_than_are_read_are_refused_and_many_short_ones_shut_nobody_out() {
    let world = World::start().await;
    let (mut browser, pushed) = Browser::at_login(&world, &Client::app()).await;
    browser.planted = format!("a={}; ", "b".repeat(17 * 1024)).into_bytes();
    for reply in [browser.get("/login").await, browser.authorize(APP, &pushed.request_uri).await] {
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "cookie/cookies_too_many"));
    }
    browser.planted = "a=b; ".repeat(200).into_bytes();
    assert_eq!(browser.get("/login").await.status, 200);
}

#[tokio::test]
async fn two_tabs_of_one_browser_log_in_side_by_side() {
    let world = World::start().await;
    let client = Client::app();
    let (mut browser, first) = Browser::at_login(&world, &client).await;
    let one = (browser.tab.clone(), browser.csrf.clone());
    let second = client.push(&world).await;
    browser.open(APP, &second.request_uri).await;
    let email = browser.register_anybody().await;
    let two = (browser.tab.clone(), browser.csrf.clone());
    assert_ne!(one, two);

    // Back to the first tab, whose page has been open all the time.
    (browser.tab, browser.csrf) = one;
    let reply = browser.log_in(&email, PASSWORD).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "{}", reply.text);
    browser.get("/consent").await;
    let mut codes = vec![(browser.decide("allow").await, first.verifier)];
    (browser.tab, browser.csrf) = two;
    codes.push((browser.decide("allow").await, second.verifier));
    for (url, verifier) in codes {
        let code = parameter(&url, "code").unwrap();
        assert_eq!(client.redemption(&world, &code, &verifier).await.send(&world).await.status, 200);
    }
    assert_eq!(browser.cookies, [], "both are over");
}

#[tokio::test]
async fn one_browser_keeps_a_bounded_number_and_the_oldest_goes() {
    let world = World::start().await;
    let client = Client::app();
    let (mut browser, _) = Browser::at_login(&world, &client).await;
    let oldest = browser.tab.clone();
    for _ in 0..8 {
        let pushed = client.push(&world).await;
        browser.open(APP, &pushed.request_uri).await;
    }
    assert_eq!(browser.cookies.len(), 8);
    browser.register_anybody().await;
    assert_eq!(browser.cookies.len(), 8, "a login replaces a cookie");
    browser.tab = oldest;
    assert_eq!(browser.get("/login").await.refusal(), "interaction/interaction_unknown");
}

#[tokio::test]
async fn a_page_belongs_to_the_interaction_in_its_address() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let (other, _) = Browser::at_login(&world, &Client::app()).await;
    for tab in ["interaction=a", "interaction=../../etc/passwd", &other.tab] {
        tab.clone_into(&mut browser.tab);
        let reply = browser.get("/login").await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "interaction/interaction_unknown"), "{tab}");
    }
    browser.tab.clear();
    assert_eq!(browser.get("/login").await.refusal(), "interaction/interaction_not_named");
}

//! Who is asked for a captcha, who is not, and what does not pass for one.

use futures_util::future::join_all;
use testkit::captcha::{on_page, solve};

use crate::browser::{Browser, PASSWORD};
use crate::draft::{Client, Reply};
use crate::world::World;

const WRONG: &str = "not the right password";
const MISSING: (u16, &str) = (403, "captcha/captcha_missing");

/// A world that believes what a proxy says of where a browser is. What a network has spent does not come back while a test runs, however slow the machine is.
async fn world() -> World {
    World::start_with(|config| {
        config.defense.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.captcha.network.seconds = 86_400;
    })
    .await
}

/// A browser at the login page of a client whose installations nobody attests, in a network of its own.
async fn elsewhere<'w>(world: &'w World, client: &Client, network: usize) -> Browser<'w> {
    let (mut browser, _) = Browser::at_login(world, client).await;
    browser.address = Some(format!("198.18.{network}.1"));
    browser
}

async fn somebody(world: &World) -> String {
    Browser::at_login(world, &Client::app()).await.0.register_anybody().await
}

/// So many try in vain, each from a network of their own; what the last one was shown.
async fn attacked(world: &World, client: &Client, email: &str, times: usize) -> Reply {
    let mut last = None;
    for network in 0..times {
        let reply = elsewhere(world, client, network).await.log_in(email, WRONG).await;
        assert_eq!(reply.status, 422, "{network}: {}", reply.text);
        last = Some(reply);
    }
    last.unwrap()
}

/// A browser that has been shown a challenge for this address.
async fn asked<'w>(world: &'w World, client: &Client, email: &str) -> (Browser<'w>, String) {
    let mut browser = elsewhere(world, client, 100).await;
    let reply = browser.log_in(email, PASSWORD).await;
    assert_eq!((reply.status, reply.refusal().as_str()), MISSING);
    let challenge = on_page(&reply.text).unwrap();
    (browser, challenge)
}

async fn log_in(browser: &mut Browser<'_>, email: &str, password: &str, answer: &str) -> Reply {
    browser.post("/login", &[("email", email), ("password", password), ("altcha", answer)]).await
}

fn said(reply: &Reply) -> (u16, String) {
    (reply.status, reply.refusal())
}

/// ATTACKS 16: the right password is of no use to a script, from wherever it comes.
#[tokio::test]
async fn stuffing_one_login_from_many_addresses_meets_a_captcha_known_and_unknown_alike() {
    let world = world().await;
    let web = Client::partner(&world);
    let known = somebody(&world).await;
    for email in [known.as_str(), "nobody-at-all@example.org"] {
        let third = attacked(&world, &web, email, 3).await;
        assert!(on_page(&third.text).is_some(), "the third failure brings the challenge along");
        for network in 10..14 {
            let mut browser = elsewhere(&world, &web, network).await;
            let reply = browser.log_in(email, PASSWORD).await;
            assert_eq!((reply.status, reply.refusal().as_str()), MISSING, "{email}");
            assert!(reply.text.contains("<altcha-widget") && reply.text.contains("<noscript>"), "{}", reply.text);
            assert!(reply.text.contains(&format!("value=\"{email}\"")), "what was typed is still there");
        }
        let (mut browser, challenge) = asked(&world, &web, email).await;
        let reply = log_in(&mut browser, email, WRONG, &solve(&challenge).unwrap()).await;
        assert_eq!(said(&reply), (422, "login/credentials_wrong".to_owned()), "{email}: the password is looked at");
    }
}

/// The benign twin of the attack above.
#[tokio::test]
async fn who_mistypes_twice_is_never_asked() {
    let world = world().await;
    let email = somebody(&world).await;
    let mut browser = elsewhere(&world, &Client::partner(&world), 1).await;
    for _ in 0..2 {
        let reply = browser.log_in(&email, WRONG).await;
        assert_eq!(reply.status, 422);
        assert!(on_page(&reply.text).is_none() && !reply.text.contains("<script"), "{}", reply.text);
    }
    assert_eq!(browser.log_in(&email, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn who_solves_it_logs_in_and_tries_without_it_lock_nobody_out() {
    let world = world().await;
    let web = Client::partner(&world);
    let email = somebody(&world).await;
    attacked(&world, &web, &email, 3).await;
    for network in 10..20 {
        assert_eq!(elsewhere(&world, &web, network).await.log_in(&email, WRONG).await.status, 403);
    }
    let (mut browser, challenge) = asked(&world, &web, &email).await;
    let reply = log_in(&mut browser, &email, PASSWORD, &solve(&challenge).unwrap()).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/consent")), "five failures would block");
}

#[tokio::test]
async fn an_attested_phone_is_not_asked_for_what_others_do() {
    let world = world().await;
    let email = somebody(&world).await;
    attacked(&world, &Client::partner(&world), &email, 3).await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let reply = browser.log_in(&email, PASSWORD).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    // One that tries many logins itself is.
    let phone = Client::app();
    for number in 0..10 {
        let (mut browser, _) = Browser::at_login(&world, &phone).await;
        assert_eq!(browser.log_in(&format!("many-{number}@example.org"), WRONG).await.status, 422);
    }
    let (mut browser, _) = Browser::at_login(&world, &phone).await;
    assert_eq!(said(&browser.log_in("many-10@example.org", WRONG).await), (MISSING.0, MISSING.1.to_owned()));
}

/// For each check an answer in which just that is wrong.
#[tokio::test]
async fn an_answer_is_good_for_its_login_its_network_its_action_its_time_and_once() {
    let world = world().await;
    let web = Client::partner(&world);
    let (email, other) = ("asked@example.org", "also-asked@example.org");
    for email in [email, other] {
        attacked(&world, &web, email, 3).await;
    }
    let refused = |reply: &Reply, reason: &str| assert_eq!(said(reply), (403, format!("captcha/{reason}")));

    let (mut browser, challenge) = asked(&world, &web, email).await;
    let answer = solve(&challenge).unwrap();
    refused(&log_in(&mut browser, other, WRONG, &answer).await, "captcha_foreign");
    browser.address = Some("198.18.101.1".to_owned());
    refused(&log_in(&mut browser, email, WRONG, &answer).await, "captcha_foreign");
    browser.address = Some("198.18.100.77".to_owned());
    refused(&log_in(&mut browser, email, WRONG, "e30=").await, "captcha_wrong");
    refused(&log_in(&mut browser, email, WRONG, &answer[4..]).await, "captcha_wrong");
    // None of this has used it up; the same network does.
    assert_eq!(log_in(&mut browser, email, WRONG, &answer).await.status, 422);
    refused(&log_in(&mut browser, email, WRONG, &answer).await, "captcha_replayed");

    let (mut browser, challenge) = asked(&world, &web, email).await;
    let answer = solve(&challenge).unwrap();
    world.clock.advance(121);
    let reply = log_in(&mut browser, email, WRONG, &answer).await;
    refused(&reply, "captcha_expired");
    let fresh = solve(&on_page(&reply.text).unwrap()).unwrap();
    assert_eq!(log_in(&mut browser, email, WRONG, &fresh).await.status, 422, "the page had a new one");
}

#[tokio::test]
async fn of_many_that_send_one_answer_at_once_one_is_let_try() {
    let world = world().await;
    let web = Client::partner(&world);
    let email = "raced@example.org";
    attacked(&world, &web, email, 3).await;
    let (browser, challenge) = asked(&world, &web, email).await;
    let answer = solve(&challenge).unwrap();
    let mut browsers = vec![browser; 12];
    let replies = join_all(browsers.iter_mut().map(|browser| log_in(browser, email, WRONG, &answer))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 422).count(), 1);
    let replayed = replies.iter().filter(|reply| reply.status == 403 && reply.refusal() == "captcha/captcha_replayed");
    assert_eq!(replayed.count(), 11);
}

/// So many at once, each browser with the twenty tries of its own interaction; how many of them reached a password.
async fn burst(browsers: &[Browser<'_>], email: impl Fn(usize) -> String) -> (usize, usize) {
    let mut browsers: Vec<_> = browsers.iter().flat_map(|browser| vec![browser.clone(); 20]).collect();
    let sent = browsers.iter_mut().enumerate().map(|(number, browser)| {
        let email = email(number);
        async move { browser.log_in(&email, WRONG).await }
    });
    let replies = join_all(sent).await;
    let asked = replies.iter().filter(|reply| (reply.status, reply.refusal().as_str()) == MISSING).count();
    let tried = replies.iter().filter(|reply| reply.status == 422).count();
    assert_eq!(tried + asked, replies.len(), "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    (tried, asked)
}

/// Six browsers, each in a network of its own or all in one.
async fn six<'w>(world: &'w World, client: &Client, network: impl Fn(usize) -> usize) -> Vec<Browser<'w>> {
    let mut browsers = Vec::new();
    for number in 0..6 {
        browsers.push(elsewhere(world, client, network(number)).await);
    }
    browsers
}

/// ATTACKS 16, all at once: the price is paid before the password is looked at.
#[tokio::test]
async fn a_burst_of_wrong_passwords_reaches_no_more_passwords_than_one_try_after_the_other() {
    let world = world().await;
    let web = Client::partner(&world);
    let (tried, asked) = burst(&six(&world, &web, |number| number).await, |_| "one-login@example.org".to_owned()).await;
    assert_eq!((tried, asked), (3, 117), "one login");
    let one_network = six(&world, &web, |_| 50).await;
    let (tried, asked) = burst(&one_network, |number| format!("of-many-{number}@example.org")).await;
    assert_eq!((tried, asked), (20, 100), "one network");
}

/// The benign twin: what is paid in advance is given back to whoever is right.
#[tokio::test]
async fn an_office_that_logs_in_at_once_is_not_asked() {
    let world = world().await;
    let web = Client::partner(&world);
    let mut people = Vec::new();
    for _ in 0..8 {
        let email = somebody(&world).await;
        people.push((elsewhere(&world, &web, 60).await, email));
    }
    for _ in 0..4 {
        let logins = people.iter().map(|(browser, email)| {
            let mut browser = browser.clone();
            async move { browser.log_in(email, PASSWORD).await.status }
        });
        // One after the other: of more than twenty who are under way at the same time some are asked.
        for login in logins {
            assert_eq!(login.await, 303);
        }
        for (browser, _) in &mut people {
            *browser = elsewhere(&world, &web, 60).await;
        }
    }
}

/// After eight failures sixteen times the work is asked, and what was asked before does not do any more.
#[tokio::test]
async fn who_goes_on_failing_is_asked_for_more() {
    let world = world().await;
    let web = Client::partner(&world);
    let email = "hammered@example.org";
    attacked(&world, &web, email, 3).await;
    let (mut browser, early) = asked(&world, &web, email).await;
    let early = solve(&early).unwrap();
    for _ in 0..5 {
        let (mut browser, challenge) = asked(&world, &web, email).await;
        assert!(challenge.contains("\"keyPrefix\":\"00\""), "{challenge}");
        // Each of them counts, whether or not the password is still looked at.
        assert!([422, 429].contains(&log_in(&mut browser, email, WRONG, &solve(&challenge).unwrap()).await.status));
    }
    let reply = log_in(&mut browser, email, WRONG, &early).await;
    assert_eq!(said(&reply), (403, "captcha/captcha_easy".to_owned()));
    let challenge = on_page(&reply.text).unwrap();
    assert!(challenge.contains("\"keyPrefix\":\"000\""), "{challenge}");
    assert!([422, 429].contains(&log_in(&mut browser, email, WRONG, &solve(&challenge).unwrap()).await.status));
}

#[tokio::test]
async fn who_registers_many_logins_is_asked_too() {
    let world = world().await;
    let web = Client::partner(&world);
    for number in 0..20 {
        let mut browser = elsewhere(&world, &web, 1).await;
        let reply = browser.register("Many", &format!("many-{number}@example.org"), PASSWORD).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
    }
    let mut browser = elsewhere(&world, &web, 1).await;
    let form = [("name", "Many"), ("email", "one-more@example.org"), ("password", PASSWORD)];
    let reply = browser.post("/register", &form).await;
    assert_eq!((reply.status, reply.refusal().as_str()), MISSING);
    assert!(reply.text.contains("Create login") && reply.text.contains("value=\"Many\""), "{}", reply.text);
    let answer = solve(&on_page(&reply.text).unwrap()).unwrap();
    // What is to be registered is not what logs in.
    let foreign = log_in(&mut browser, "one-more@example.org", PASSWORD, &answer).await;
    assert_eq!(said(&foreign), (403, "captcha/captcha_foreign".to_owned()));
    let reply = browser.post("/register", &[&form[..], &[("altcha", &answer)]].concat()).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
}

/// The path can be spelled in other ways, and the form be sent where nobody shows one.
#[tokio::test]
async fn there_is_no_way_around_it() {
    let world = world().await;
    let web = Client::partner(&world);
    let email = somebody(&world).await;
    attacked(&world, &web, &email, 3).await;
    let mut browser = elsewhere(&world, &web, 100).await;
    let tab = browser.tab.clone();
    for path in ["/%6Cogin", "/logi%6e", "/%6c%6f%67%69%6e"] {
        let reply = browser.post(&format!("{path}?{tab}"), &[("email", &email), ("password", PASSWORD)]).await;
        // The layer before it takes no path that is spelled so; without that one it would be asked all the same.
        assert_eq!(said(&reply), (400, "host/path_not_plain".to_owned()), "{path}");
    }
    // Another spelling of the address is the same login.
    for spelling in [email.to_uppercase(), format!(" {email} ")] {
        let reply = browser.log_in(&spelling, PASSWORD).await;
        assert_eq!((reply.status, reply.refusal().as_str()), MISSING, "{spelling}");
    }
}

#[tokio::test]
async fn a_program_is_told_in_json_and_a_person_by_a_page_whose_policy_lets_our_script_run() {
    let world = world().await;
    let web = Client::partner(&world);
    let email = "told@example.org";
    attacked(&world, &web, email, 3).await;
    let mut browser = elsewhere(&world, &web, 100).await;
    let page = browser.log_in(email, WRONG).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self';"), "{policy}");
    assert!(policy.ends_with("script-src 'self'; worker-src 'self'"), "{policy}");
    assert_eq!(page.header("cache-control").as_deref(), Some("no-store"));
    for path in ["/captcha.js", "/altcha.js", "/altcha-pbkdf2.js"] {
        let file = browser.get(path).await;
        let (media_type, sniff) = (file.header("content-type"), file.header("x-content-type-options"));
        assert_eq!(media_type.as_deref(), Some("text/javascript; charset=utf-8"), "{path}");
        assert_eq!((file.status, sniff.as_deref()), (200, Some("nosniff")), "{path}");
    }
    assert_eq!(browser.get("/altcha.css").await.header("content-type").as_deref(), Some("text/css; charset=utf-8"));
    browser.accept = Some("application/json");
    let told = browser.log_in(email, WRONG).await;
    assert_eq!((told.status, told.member("code").as_str()), (403, "auth.captcha_required"));
    assert_eq!(told.header("content-type").as_deref(), Some("application/problem+json"));
}

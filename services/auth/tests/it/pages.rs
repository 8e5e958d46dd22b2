//! The pages as an attacker's site, a stranger's browser and a curious person would use them.

use crate::browser::{Browser, PASSWORD, address};
use crate::draft::{Client, Reply};
use crate::world::{APP, PARTNER_REDIRECT, World};

/// The token of a form is hidden in it, and the interaction is in its address; the rest of two pages can be compared.
fn without_token(reply: &Reply, browser: &Browser<'_>) -> String {
    reply.text.replace(&browser.csrf, "TOKEN").replace(&browser.tab, "TAB")
}

#[tokio::test]
async fn every_page_has_a_policy_under_which_nothing_foreign_runs() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (mut browser, _) = Browser::at_login(&world, &client).await;
    // The last one is a refusal, whose style is in it.
    for (path, style) in [("/login", "'self';"), ("/register", "'self';"), ("/authorize", "'sha256-")] {
        let reply = browser.get(path).await;
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with(&format!("default-src 'none'; style-src {style}")), "{path}: {policy}");
        for part in ["; form-action 'self'; ", "; frame-ancestors 'none'; ", "; base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {part} in {policy}");
        }
        assert_eq!(reply.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
        assert_eq!(reply.header("x-content-type-options").as_deref(), Some("nosniff"));
        assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(reply.header("referrer-policy").as_deref(), Some("same-origin"), "else browsers send Origin: null");
        assert!(
            reply.header("strict-transport-security").is_some()
                && reply.header("access-control-allow-origin").is_none()
        );
    }
    browser.register_anybody().await;
    let consent = browser.get("/consent").await;
    assert!(consent.text.contains("Partner Web") && consent.text.contains("https://localhost:8400"));
    // What browsers ask for on every page, some of them unasked.
    assert!(
        consent.text.contains("<link rel=\"icon\" href=\"/favicon.ico\" type=\"image/svg+xml\">"),
        "{}",
        consent.text
    );
    let mark = browser.get("/favicon.ico").await;
    assert_eq!((mark.status, mark.header("content-type").as_deref()), (200, Some("image/svg+xml")));
    let style = browser.get("/style.css").await;
    assert_eq!(style.header("content-type").as_deref(), Some("text/css; charset=utf-8"));
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_other_hosts_and_other_sites() {
    let world = World::start().await;
    let pushed = Client::app().push(&world).await;
    let reply = Browser::new(&world).authorize(APP, &pushed.request_uri).await;
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused_on_every_page() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let form = [("email", "a@b.example"), ("password", PASSWORD), ("name", "A"), ("decision", "allow")];
    for path in ["/login", "/register", "/consent"] {
        for origin in ["https://evil.test", "null", "http://auth.test", "https://auth.test.evil.test"] {
            let mut other = browser.clone();
            other.origin = Some(origin.into());
            let reply = other.post(path, &form).await;
            assert_eq!((reply.status, reply.refusal().as_str()), (403, "origin/origin_mismatch"), "{path} {origin}");
        }
        for csrf in ["", "wrong"] {
            let mut other = browser.clone();
            other.csrf = csrf.into();
            let reply = other.post(path, &form).await;
            assert_eq!((reply.status, reply.refusal().as_str()), (403, "csrf/csrf_mismatch"), "{path} {csrf}");
        }
    }
    assert_eq!(browser.register("A", &address(), PASSWORD).await.status, 303, "with nothing broken it passes");
}

#[tokio::test]
async fn a_stranger_cannot_use_another_browsers_token() {
    let world = World::start().await;
    let (mut attacker, _) = Browser::at_login(&world, &Client::app()).await;
    let (victim, _) = Browser::at_login(&world, &Client::app()).await;
    attacker.csrf = victim.csrf;
    let reply = attacker.log_in("a@b.example", PASSWORD).await;
    assert_eq!(reply.refusal(), "csrf/csrf_mismatch");
}

#[tokio::test]
async fn without_the_cookie_or_after_its_time_there_is_no_page() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let mut stranger = browser.clone();
    stranger.cookies.clear();
    for path in ["/login", "/register", "/consent"] {
        let reply = stranger.get(path).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "interaction/interaction_unknown"), "{path}");
        assert!(reply.text.contains("start again"));
        // Somebody has typed the address: nothing has expired.
        let typed = world.http.get(world.url(path)).send().await.unwrap();
        let typed = Reply::read(typed).await;
        assert_eq!((typed.status, typed.refusal().as_str()), (400, "interaction/interaction_not_named"), "{path}");
        assert!(typed.text.contains("which an app begins"));
    }
    stranger.cookies = vec![(browser.cookies[0].0.clone(), crypto::random::token(32))];
    assert_eq!(stranger.log_in("a@b.example", PASSWORD).await.refusal(), "interaction/interaction_unknown");
    world.clock.advance(600);
    assert_eq!(browser.get("/login").await.refusal(), "interaction/interaction_unknown");
}

#[tokio::test]
async fn the_cookie_changes_at_login_and_the_old_one_is_dead() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let mut fixed = browser.clone();
    browser.register_anybody().await;
    assert_eq!(browser.cookies[0].0, fixed.cookies[0].0);
    assert_ne!(browser.cookies[0].1, fixed.cookies[0].1);
    assert_eq!(fixed.get("/consent").await.refusal(), "interaction/interaction_unknown");
}

#[tokio::test]
async fn nobody_consents_before_logging_in() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    assert_eq!(browser.get("/consent").await.leads_to().as_deref(), Some("/login"));
    let reply = browser.post("/consent", &[("decision", "allow")]).await;
    assert_eq!((reply.status, reply.leads_to().as_deref()), (303, Some("/login")));
}

/// Browsers apply `form-action` to every redirect that a form's answer leads to, also to the client's own, which we do not know.
/// So the answer is no redirect but a page that goes on by itself.
#[tokio::test]
async fn the_answer_is_a_page_that_goes_on_to_the_client_under_a_policy_that_names_nobody() {
    let world = World::start().await;
    for (client, decision, says) in
        [(Client::partner(&world), "allow", "code="), (Client::app(), "deny", "error=access_denied")]
    {
        let (mut browser, _) = Browser::at_login(&world, &client).await;
        browser.register_anybody().await;
        let consent = browser.get("/consent").await;
        let reply = browser.post("/consent", &[("decision", decision)]).await;
        assert_eq!((reply.status, reply.header("location")), (200, None), "{}", reply.text);
        for page in [&consent, &reply] {
            let policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; img-src 'self'";
            assert_eq!(page.header("content-security-policy").as_deref(), Some(policy));
        }
        assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"), "there is a code in it");
        assert_eq!(reply.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
        let url = reply.goes_on_to();
        let link = reply.text.split_once("<a rel=\"noreferrer\" href=\"").unwrap().1.split('"').next().unwrap();
        assert!(
            url.starts_with(&format!("{}?{says}", client.redirect_uri())) && url.contains("&state=state-1&iss="),
            "{url}"
        );
        assert_eq!(url, link.replace("&#38;", "&"), "for browsers that do not go on by themselves");
        assert!(!reply.text.contains("<script") && !reply.text.contains("<form"));
        assert_eq!(browser.cookies, [], "the interaction is over");
    }
}

#[tokio::test]
async fn consent_is_yes_or_no_and_given_once() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    browser.register_anybody().await;
    for decision in ["", "maybe", "Allow"] {
        let reply = browser.post("/consent", &[("decision", decision)]).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "request/form_malformed"), "{decision}");
    }
    let mut again = browser.clone();
    browser.decide("allow").await;
    let reply = again.post("/consent", &[("decision", "allow")]).await;
    assert_eq!(reply.refusal(), "interaction/interaction_unknown");
}

#[tokio::test]
async fn the_browser_is_sent_nowhere_but_to_the_registered_uri() {
    let world = World::start().await;
    let client = Client::partner(&world);
    let (mut browser, _) = Browser::at_login(&world, &client).await;
    let extra = ["redirect_uri", "next", "return_to", "client_id"];
    let evil = "https://evil.test/";
    let mut form = vec![("name", "A"), ("email", "open-redirect@example.org"), ("password", PASSWORD)];
    form.extend(extra.map(|name| (name, evil)));
    let reply = browser.post("/register?redirect_uri=https://evil.test/", &form).await;
    assert_eq!(reply.leads_to().as_deref(), Some("/consent"));
    browser.get("/consent?redirect_uri=https://evil.test/").await;
    let mut form = vec![("decision", "allow")];
    form.extend(extra.map(|name| (name, evil)));
    let reply = browser.post("/consent", &form).await;
    assert!(reply.goes_on_to().starts_with(PARTNER_REDIRECT) && !reply.text.contains("evil.test"));
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_get_one_and_the_same_answer() {
    let world = World::start().await;
    let client = Client::app();
    let (mut browser, _) = Browser::at_login(&world, &client).await;
    let known = browser.register_anybody().await;
    let mut pages = Vec::new();
    for email in [known.as_str(), "nobody-at-all@example.org", "not an address"] {
        let (mut browser, _) = Browser::at_login(&world, &client).await;
        let reply = browser.log_in(email, "not the right password").await;
        assert_eq!((reply.status, reply.refusal().as_str()), (422, "login/credentials_wrong"), "{email}");
        assert!(reply.text.contains("role=\"alert\"") && reply.header("set-cookie").is_none());
        let names: Vec<_> = reply.headers().keys().map(ToString::to_string).collect();
        pages.push((names, without_token(&reply, &browser).replace(email, "EMAIL")));
    }
    assert!(pages.windows(2).all(|pair| pair[0] == pair[1]), "{pages:#?}");
}

#[tokio::test]
async fn a_taken_address_keeps_its_password_and_a_bad_form_says_what_is_wrong() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let email = browser.register_anybody().await;
    let (mut other, _) = Browser::at_login(&world, &Client::app()).await;
    let upper = email.to_uppercase();
    let rows = [
        ("Mallory", upper.as_str(), PASSWORD, "cannot be created"),
        ("", "new@example.org", PASSWORD, "tell us your name"),
        ("A", "no address", PASSWORD, "not an e-mail address"),
        ("A", "new@example.org", "too short", "at least 15 characters"),
        ("A", "new@example.org", "passwordpassword", "guessed first"),
    ];
    for (name, email, password, message) in rows {
        let reply = other.register(name, email, password).await;
        assert_eq!(reply.status, 422, "{message}");
        assert!(reply.text.contains(message), "{message}: {}", reply.text);
        assert!(!reply.text.contains(password), "a password is never sent back");
    }
    assert_eq!(other.log_in(&email, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn what_people_type_is_text_and_nothing_else() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    let reply = browser.log_in("\"><script>alert(1)</script>", "x").await;
    assert!(!reply.text.contains("<script") && reply.text.contains("&#60;script&#62;"), "{}", reply.text);
    let reply = browser.register("<img src=x onerror=alert(1)>", &address(), PASSWORD).await;
    assert_eq!(reply.status, 303);
    let consent = browser.get("/consent").await;
    assert!(!consent.text.contains("<img") && consent.text.contains("&#60;img"), "{}", consent.text);
}

#[tokio::test]
async fn one_request_has_a_bounded_number_of_tries_in_all_browsers_together() {
    let world = World::start_without_captcha().await;
    let (mut browser, pushed) = Browser::at_login(&world, &Client::app()).await;
    let mut other = Browser::new(&world);
    other.open(APP, &pushed.request_uri).await;
    for number in 2..20 {
        let browser = if number % 2 == 0 { &mut browser } else { &mut other };
        assert_eq!(browser.register("", "", "").await.status, 422);
    }
    for reply in [browser.register("", "", "").await, other.authorize(APP, &pushed.request_uri).await] {
        assert_eq!((reply.status, reply.refusal().as_str()), (429, "throttle/attempts_exhausted"));
    }
}

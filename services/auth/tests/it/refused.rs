//! Whatever refuses, a browser gets a page of the house and a program a problem; neither says again what the request said.

use defense::config::Rate;
use reqwest::{Method, RequestBuilder};

use crate::draft::Reply;
use crate::world::World;

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
/// What a browser of an attacker's choosing sends along.
const EVIL: &str = "zq9<script>alert(1)</script>";
const EVIL_ESCAPED: &str = "zq9%3Cscript%3Ealert(1)%3C%2Fscript%3E";

async fn send(request: RequestBuilder) -> Reply {
    Reply::read(request.header("user-agent", EVIL).send().await.unwrap()).await
}

/// A request of which every part that it may choose is an attack.
fn request(world: &World, method: Method, path: &str, accept: Option<&str>) -> RequestBuilder {
    let request = world.http.request(method, world.url(&format!("{path}?{EVIL_ESCAPED}={EVIL_ESCAPED}")));
    let request = request.header("x-note", EVIL).header("cookie", "zq9=zq9");
    accept.into_iter().fold(request, |request, accept| request.header("accept", accept))
}

fn is_page(reply: &Reply, status: u16, says: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.header("content-type").as_deref(), Some("text/html; charset=utf-8"), "{status}: {}", reply.text);
    assert_eq!(
        reply.header("content-security-policy").as_deref(),
        Some(auth::pages::REFUSAL_POLICY.as_str()),
        "{status}"
    );
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"), "{status}");
    assert_eq!(reply.header("x-content-type-options").as_deref(), Some("nosniff"), "{status}");
    let id = reply.header("request-id").unwrap();
    assert!(reply.text.contains(&format!("<code>{id}</code>")), "{status}: {}", reply.text);
    assert!(reply.text.contains(says), "{status}: {}", reply.text);
    // It looks like a page of the house also where the house serves nothing else.
    let style = reply.text.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
    let allowed = format!("'sha256-{}'", crypto::b64::encode_standard(&crypto::hash::sha256(style.as_bytes())));
    assert!(reply.header("content-security-policy").unwrap().contains(&format!("style-src {allowed};")), "{status}");
    assert!(reply.text.starts_with("<!doctype html>") && style == auth::pages::STYLE);
    assert!(!reply.text.contains("rel=\"stylesheet\""), "{status}");
    assert!(!reply.text.contains("<script") && !reply.text.contains("zq9"), "{status}: {}", reply.text);
}

fn is_problem(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.header("content-type").as_deref(), Some("application/problem+json"), "{status}: {}", reply.text);
    assert_eq!(reply.member("request_id"), reply.header("request-id").unwrap());
    assert!(!reply.text.contains("zq9"), "{}", reply.text);
}

#[tokio::test]
async fn a_person_is_refused_by_a_page_whoever_refuses() {
    let world = World::start().await;
    let large = vec![b'a'; 17_000];
    for path in ["/login", "/register"] {
        // A browser that says what it takes, and one that says nothing: the route is for people.
        for accept in [Some(HTML), None] {
            let form =
                request(&world, Method::POST, path, accept).header("content-type", "application/x-www-form-urlencoded");
            is_page(&send(form.body(large.clone())).await, 413, "What your browser sent is too large.");
            let elsewhere = request(&world, Method::GET, path, accept).header("host", "zq9.example");
            is_page(&send(elsewhere).await, 421, "not served under this address");
            let doubled =
                request(&world, Method::POST, path, accept).header("content-type", "a/a").header("content-type", "b/b");
            is_page(&send(doubled).await, 400, "cannot be read");
        }
        let handlers_own = request(&world, Method::GET, path, Some(HTML));
        is_page(&send(handlers_own).await, 400, "Go back to the app and start there.");
    }
    // Where there is no route, and before one is looked for.
    is_page(&send(request(&world, Method::GET, "/zq9", Some(HTML))).await, 404, "There is no page at this address.");
    let other_method = send(request(&world, Method::POST, "/style.css", Some(HTML))).await;
    is_page(&other_method, 405, "does not take what your browser has sent");
    assert_eq!(other_method.header("allow").as_deref(), Some("GET, HEAD"));
    let long = world.http.get(world.url(&format!("/login?{}", "zq9".repeat(3_000)))).header("accept", HTML);
    is_page(&send(long).await, 414, "too long");
}

#[tokio::test]
async fn a_person_is_told_when_to_come_back() {
    let world = World::start_with(|config| {
        // As much as one request for a token costs.
        config.defense.rates.address = Rate { units: 5, seconds: 3600 };
    })
    .await;
    let mut last = None;
    for _ in 0..6 {
        last = Some(send(request(&world, Method::GET, "/login", Some(HTML))).await);
    }
    let reply = last.unwrap();
    let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds > 90, "{seconds}");
    is_page(
        &reply,
        429,
        &format!("There were too many tries from here. Please try again in {} minutes.", seconds.div_ceil(60)),
    );
    assert!(reply.text.contains("<a href=\"\">Try again</a>"), "{}", reply.text);
    // The program that shares the address is told the same as ever.
    let program = send(request(&world, Method::POST, "/token", Some(HTML))).await;
    is_problem(&program, 429);
    assert!(program.header("retry-after").is_some());
}

#[tokio::test]
async fn a_program_is_refused_by_a_problem() {
    let world = World::start().await;
    // At the routes for programs, whatever they say; at the others where they ask for JSON.
    for (path, accept) in
        [("/token", Some(HTML)), ("/par", None), ("/jwks.json", Some(HTML)), ("/login", Some("application/json"))]
    {
        let method = if ["/token", "/par"].contains(&path) { Method::POST } else { Method::GET };
        is_problem(&send(request(&world, method, path, accept).header("host", "zq9.example")).await, 421);
    }
    for accept in [None, Some("*/*"), Some("application/json")] {
        is_problem(&send(request(&world, Method::GET, "/zq9", accept)).await, 404);
        is_problem(&send(request(&world, Method::DELETE, "/login", accept)).await, 405);
    }
}

//! Characters that no parameter has, wherever a parameter may stand.

use crate::browser::Browser;
use crate::draft::{Client, Reply, refusal};
use crate::world::World;

/// Forms and queries with what must not get further than the parser: names and values alike.
const BAD: [&[u8]; 14] = [
    b"client_id=a%00",
    b"client_id=a\0",
    b"request_uri=%00urn",
    b"email=a%0Db",
    b"email=a%0d%0aSet-Cookie%3A%20x",
    b"state=a%0A",
    b"state=a\nb",
    b"state=a%7F",
    b"password=%FF",
    b"password=\xff",
    b"password=%C3%28",
    b"name=%ED%A0%80",
    b"%00=x",
    b"na%FFme=x",
];

async fn send(world: &World, browser: &Browser<'_>, method: &str, path: &str, bad: &[u8]) -> Reply {
    let cookie: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut parameters = browser.tab.clone();
    let request = if method == "GET" {
        // A raw byte cannot stand in a request line; everything else can.
        parameters = format!("{parameters}&{}", String::from_utf8(bad.to_vec()).unwrap());
        world.http.get(world.url(&format!("{path}?{parameters}")))
    } else {
        let body = [format!("csrf={}&", browser.csrf).as_bytes(), bad].concat();
        let request = world.http.post(world.url(&format!("{path}?{parameters}"))).body(body);
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    Reply::read(request.header("cookie", cookie.join("; ")).send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_no_text_is_refused_on_every_page() {
    let world = World::start().await;
    let (browser, _) = Browser::at_login(&world, &Client::app()).await;
    for path in ["/authorize", "/login", "/register", "/consent", "/approve"] {
        for bad in BAD {
            for method in ["GET", "POST"] {
                if method == "GET" && !bad.iter().all(u8::is_ascii_graphic) {
                    continue;
                }
                let reply = send(&world, &browser, method, path, bad).await;
                let what = format!("{method} {path} {}", String::from_utf8_lossy(bad));
                assert_eq!((reply.status, reply.refusal().as_str()), (400, "request/parameter_not_text"), "{what}");
            }
        }
    }
    // The address of a form counts as well.
    for path in ["/login", "/register", "/consent", "/approve"] {
        let mut browser = browser.clone();
        browser.tab.push_str("&x=%00");
        let reply = browser.post(path, &[("email", "a@b.example")]).await;
        assert_eq!((reply.status, reply.refusal().as_str()), (400, "request/parameter_not_text"), "{path}");
    }
}

#[tokio::test]
async fn what_is_no_text_is_refused_at_every_protocol_endpoint() {
    let world = World::start().await;
    let (browser, _) = Browser::at_login(&world, &Client::app()).await;
    for path in ["/par", "/token"] {
        for bad in BAD {
            let reply = send(&world, &browser, "POST", path, bad).await;
            let expected = refusal(400, "invalid_request", "request/parameter_not_text");
            assert_eq!(reply.refused(), expected, "{path} {}", String::from_utf8_lossy(bad));
        }
    }
}

/// Whoever looks into a body before us reads it as the header says; we read UTF-8.
#[tokio::test]
async fn a_form_is_utf_8_or_none() {
    let world = World::start().await;
    for (charset, expected) in [
        ("", "request/parameter_not_text"),
        ("; charset=utf-8", "request/parameter_not_text"),
        ("; charset=utf-16", "request/form_unreadable"),
        ("; boundary=x", "request/form_unreadable"),
    ] {
        let content_type = format!("application/x-www-form-urlencoded{charset}");
        let request = world.http.post(world.url("/par")).header("content-type", content_type).body("a=%00");
        let reply = Reply::read(request.send().await.unwrap()).await;
        assert_eq!(reply.refused(), refusal(400, "invalid_request", expected), "{charset}");
    }
}

#[tokio::test]
async fn text_in_any_language_is_text() {
    let world = World::start().await;
    let (mut browser, _) = Browser::at_login(&world, &Client::app()).await;
    for name in ["Zoë Öztürk", "王小明", "\u{fffd}", "100 %", "a+b&c=d"] {
        let reply = browser.register(name, "", "").await;
        assert_eq!(reply.status, 422, "{name}");
        let shown = name.replace('&', "&#38;");
        assert!(reply.text.contains(&format!("value=\"{shown}\"")), "{name}: {}", reply.text);
    }
}

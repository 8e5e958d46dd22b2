//! An upstream that misbehaves on request, and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::body::{BodyStream, MessageBody};
use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use futures_util::stream;
use serde_json::json;
use testkit::pki::Pki;
use testkit::server::{self, Server};

use crate::bench::{ANY, HOSTILE_SECRET, HOSTILE_WHSEC};

pub(crate) struct Hostile {
    server: Server,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The only bearer secret that it takes; it changes when the "provider" rotates.
    pub(crate) accepts: Arc<Mutex<String>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The other end of the connection.
    pub(crate) from: Option<std::net::SocketAddr>,
}

struct Recording {
    seen: Arc<Mutex<Vec<Seen>>>,
    accepts: Arc<Mutex<String>>,
}

impl Hostile {
    pub(crate) async fn start(pki: &Pki) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let accepts = Arc::new(Mutex::new(HOSTILE_SECRET.to_owned()));
        let state = web::Data::new(Recording { seen: Arc::clone(&seen), accepts: Arc::clone(&accepts) });
        let routes: server::Configure = Arc::new(move |config: &mut web::ServiceConfig| {
            config.app_data(state.clone()).default_service(web::to(misbehave));
        });
        let server = Server::start(ANY, &pki.public("partner"), None, routes).await.unwrap();
        Self { server, seen, accepts }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn misbehave(request: HttpRequest, state: web::Data<Recording>) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let authorization = header("authorization");
    let earlier = {
        let mut seen = state.seen.lock().unwrap();
        let seen_before = seen.iter().filter(|seen| seen.path == request.path()).count();
        seen.push(Seen {
            path: request.path().to_owned(),
            authorization: authorization.clone(),
            key: header("idempotency-key"),
            headers: headers(&request),
            from: request.peer_addr(),
        });
        seen_before
    };
    let expected = format!("Bearer {}", state.accepts.lock().unwrap());
    if authorization.as_ref().is_some_and(|given| *given != expected) {
        return HttpResponse::Unauthorized().finish();
    }
    let secret = authorization.unwrap_or_default().replace("Bearer ", "");
    let good = json!({ "id": "1", "note": "not for you" });
    let how = request.path().rsplit('/').next().unwrap();
    if let Some(how) = how.strip_prefix("echo") {
        return echo(how.trim_start_matches('-'), &secret);
    }
    if let Some(answer) = refuse(how, earlier).await {
        return answer;
    }
    match how {
        "redirect" => HttpResponse::Found().insert_header(("location", "/good")).finish(),
        "redirect-307" => {
            HttpResponse::TemporaryRedirect().insert_header(("location", "http://169.254.169.254/")).finish()
        }
        "huge" => HttpResponse::Ok().json(json!({ "id": "x".repeat(5000) })),
        "huge-in-chunks" => HttpResponse::Ok().content_type("application/json").body(padded()),
        "endless" => HttpResponse::Ok().content_type("application/json").body(endless()),
        "drip" => HttpResponse::Ok().content_type("application/json").body(drip()),
        "silent" => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            HttpResponse::Ok().json(good)
        }
        "gzip" => HttpResponse::Ok().insert_header(("content-encoding", "gzip")).json(good),
        "html" => HttpResponse::Ok().content_type("text/html").body("{\"id\":\"1\"}"),
        "deep" => {
            HttpResponse::Ok().content_type("application/json").body(format!("{}1{}", "[".repeat(40), "]".repeat(40)))
        }
        "not-json" => HttpResponse::Ok().content_type("application/json").body("{\"id\":"),
        "fail" => HttpResponse::InternalServerError().finish(),
        "flaky" if earlier < 2 => HttpResponse::ServiceUnavailable().finish(),
        how => unlike_the_manifest(how, good),
    }
}

/// Answers of a well-behaved server, but not the agreed one; and the good one.
fn unlike_the_manifest(how: &str, good: serde_json::Value) -> HttpResponse {
    match how {
        "no-id" => HttpResponse::Ok().json(json!({ "note": "x" })),
        "number-id" => HttpResponse::Ok().json(json!({ "id": 1 })),
        "null-id" => HttpResponse::Ok().json(json!({ "id": null })),
        "turned-id" => HttpResponse::Ok().json(json!({ "id": "1\u{202e}" })),
        "cut-id" => HttpResponse::Ok().json(json!({ "id": "1\u{0}" })),
        "two-ids" => HttpResponse::Ok().content_type("application/json").body("{\"id\":\"1\",\"id\":\"2\"}"),
        "accepted" => HttpResponse::Accepted().json(good),
        "no-content" => HttpResponse::NoContent().finish(),
        "quote" => HttpResponse::Ok()
            .content_type("application/json")
            .body("{\"id\":\"1\",\"amount\":12345678901234567890123.45,\"note\":null}"),
        "object-id" => HttpResponse::Ok().json(json!({ "id": { "note": "x" } })),
        _ => HttpResponse::Ok().json(good),
    }
}

/// The ways to say no, and a yes in other words than those that were agreed.
async fn refuse(how: &str, earlier: usize) -> Option<HttpResponse> {
    let agreed = json!({ "error": "no such creditor" });
    Some(match how {
        // On the books, but the answer comes too late; a repetition of it is refused.
        "late" if earlier == 0 => {
            tokio::time::sleep(Duration::from_secs(2)).await;
            HttpResponse::Ok().json(json!({ "id": "1" }))
        }
        "refuse" | "late" => HttpResponse::UnprocessableEntity().json(agreed),
        "refuse-otherwise" => HttpResponse::UnprocessableEntity().json(json!({ "error": "internal details" })),
        "refuse-by-firewall" => HttpResponse::Forbidden().content_type("text/html").body("<h1>Request blocked</h1>"),
        "refuse-moved" => HttpResponse::NotFound().json(agreed),
        "take-and-reject" => HttpResponse::Ok().json(json!({ "id": "", "error": "no such creditor" })),
        "take-otherwise" => HttpResponse::Accepted().json(json!({ "id": "1" })),
        "busy" => HttpResponse::TooManyRequests().finish(),
        "busy-a-second" if earlier == 0 => HttpResponse::TooManyRequests().insert_header(("retry-after", "1")).finish(),
        "busy-a-minute" => HttpResponse::ServiceUnavailable().insert_header(("retry-after", "60")).finish(),
        _ => return None,
    })
}

fn headers(request: &HttpRequest) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Every way in which the secret comes back.
pub(crate) const ECHOES: [&str; 20] = [
    "echo",
    "echo-in-key",
    "echo-base64",
    "echo-escaped",
    "echo-header",
    "echo-broken",
    "echo-percent-twice",
    "echo-html",
    "echo-wrapped",
    "echo-base64-of-json",
    "echo-hex",
    "echo-cut",
    "echo-webhook",
    "echo-webhook-key",
    "echo-unprocessable",
    "echo-failed",
    "echo-unauthorized",
    "echo-redirect",
    "echo-html-page",
    "echo-huge",
];

fn echo(how: &str, secret: &str) -> HttpResponse {
    use crypto::b64::encode_standard as base64;
    let id = |text: String| HttpResponse::Ok().json(json!({ "id": text }));
    let each = |format: fn(u8) -> String| secret.bytes().map(format).collect::<String>();
    let debug = |mut answer: HttpResponseBuilder| answer.body(format!("<pre>authorization: {secret}</pre>"));
    match how {
        "" => HttpResponse::Ok().json(json!({ "id": "1", "request": { "authorization": secret } })),
        "in-key" => HttpResponse::Ok().json(json!({ "id": "1", secret: 1 })),
        "base64" => id(base64(format!("x:{secret}").as_bytes())),
        "escaped" => HttpResponse::Ok().content_type("application/json").body(escaped(secret)),
        "header" => HttpResponse::Ok().insert_header(("x-debug", secret)).json(json!({ "id": "1" })),
        "broken" => HttpResponse::Ok().content_type("application/json").body(format!("{{\"id\":\"{secret}")),
        "percent-twice" => id(each(|byte| format!("%25{byte:02x}"))),
        "html" => id(each(|byte| format!("&#{byte};"))),
        "wrapped" => id(each(|byte| format!("{} ", char::from(byte)))),
        "base64-of-json" => id(base64(escaped(secret).as_bytes())),
        "hex" => id(hex::encode(secret)),
        "cut" => id(secret[10..30].to_owned()),
        "webhook" => id(HOSTILE_WHSEC.to_owned()),
        "webhook-key" => {
            let key = crypto::b64::decode_standard(HOSTILE_WHSEC.strip_prefix("whsec_").unwrap()).unwrap();
            id(hex::encode(&key).to_uppercase())
        }
        "html-page" => debug(HttpResponse::Ok()),
        "huge" => id(format!("{secret}{}", "x".repeat(5000))),
        "unprocessable" => debug(HttpResponse::UnprocessableEntity()),
        "failed" => debug(HttpResponse::InternalServerError()),
        "unauthorized" => debug(HttpResponse::Unauthorized()),
        "redirect" => HttpResponse::Found().insert_header(("location", format!("/login?key={secret}"))).finish(),
        other => panic!("no echo {other}"),
    }
}

/// The secret with every character as a JSON escape.
fn escaped(secret: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("{\"id\":\"");
    for byte in secret.bytes() {
        write!(text, "\\u{byte:04x}").unwrap();
    }
    text.push_str("\"}");
    text
}

/// A good answer and then more white space than fits, without a length.
fn padded() -> impl MessageBody {
    let chunks = [&b"{\"id\":\"1\"}"[..], &[b' '; 5000]];
    BodyStream::new(stream::iter(chunks.map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk)))))
}

fn endless() -> impl MessageBody {
    BodyStream::new(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'['; 1024]))))
}

fn drip() -> impl MessageBody {
    BodyStream::new(stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
    }))
}

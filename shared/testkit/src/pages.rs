//! HTTPS pages for whoever sits at this machine, and for nobody else: what makes them knows no HTTP.
//!
//! What must hold: it listens on loopback only; it answers GET and HEAD, and only under its own name (a foreign page whose name is made to lead here, DNS
//! rebinding, gets nothing); no page has a script or asks anybody for anything: its one style is allowed by its hash.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::{Result, ensure};

use crate::pki::Identity;
use crate::server::Server;

/// What is asked for: the target of a GET, in its two parts and as it was sent.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Begins with a slash.
    pub path: String,
    /// Without the question mark; empty if there is none.
    pub query: String,
}

/// What is shown.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// The document.
    pub html: String,
    /// Seconds until the browser asks again; none, if it does not.
    pub again: Option<u32>,
}

/// A page that is being made.
pub type Making = Pin<Box<dyn Future<Output = Page> + Send>>;
/// Whoever makes pages.
pub type Maker = Arc<dyn Fn(Asked) -> Making + Send + Sync>;

/// Serves what `maker` makes at `listen`, with the one style that its documents contain.
///
/// # Errors
///
/// `listen` is not on loopback, or cannot be listened on.
pub async fn serve(listen: SocketAddr, identity: &Identity, style: &str, maker: Maker) -> Result<Server> {
    ensure!(listen.ip().is_loopback(), "pages are for this machine alone: {listen} is not on loopback");
    let style = runtime::pages::own_style(style);
    let policy: Arc<str> =
        format!("default-src 'none'; style-src {style}; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
            .into();
    let routes = move |config: &mut web::ServiceConfig| {
        let (maker, policy) = (Arc::clone(&maker), Arc::clone(&policy));
        config.default_service(web::to(move |request: HttpRequest| {
            let (maker, policy) = (Arc::clone(&maker), Arc::clone(&policy));
            async move { answer(&request, &maker, &policy).await }
        }));
    };
    Server::start(listen, identity, None, Arc::new(routes)).await
}

async fn answer(request: &HttpRequest, maker: &Maker, policy: &str) -> HttpResponse {
    if !is_own_name(request) {
        return HttpResponse::build(StatusCode::MISDIRECTED_REQUEST).body("this is not served under that name");
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, "GET, HEAD"))
            .body("this only shows: it answers GET and HEAD, and nothing can be sent to it");
    }
    let asked = Asked { path: request.path().to_owned(), query: request.query_string().to_owned() };
    let page = maker(asked).await;
    // Default: a page of which nobody knows what it is, is a fault.
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    answer
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"));
    if let Some(seconds) = page.again {
        answer.insert_header((header::REFRESH, seconds.to_string()));
    }
    answer.body(page.html)
}

/// Whether the request names us, once, and by no other name.
pub(crate) fn is_own_name(request: &HttpRequest) -> bool {
    let own = format!("localhost:{}", request.app_config().local_addr().port());
    let mut hosts = request.headers().get_all(header::HOST);
    let named = hosts.next().is_some_and(|host| host.as_bytes() == own.as_bytes()) && hosts.next().is_none();
    named && request.uri().authority().is_none_or(|authority| authority.as_str() == own)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// As the listener of a test request sees it: at port 8080.
    fn own(target: &str, hosts: &[&str]) -> bool {
        let request = TestRequest::with_uri(target);
        is_own_name(
            &hosts.iter().fold(request, |request, host| request.append_header((header::HOST, *host))).to_http_request(),
        )
    }

    #[test]
    fn it_answers_by_its_own_name_only_and_once() {
        let name = "localhost:8080";
        assert!(own("/", &[name]) && own("https://localhost:8080/", &[name]));
        for (target, hosts) in [
            ("/", vec![]),
            ("/", vec!["localhost"]),
            ("/", vec!["127.0.0.1:8080"]),
            ("/", vec!["evil.example:8080"]),
            ("/", vec![name, name]),
            ("/", vec![name, "evil.example"]),
            ("https://evil.example/", vec![name]),
            ("https://localhost/", vec![name]),
        ] {
            assert!(!own(target, &hosts), "{target} {hosts:?}");
        }
    }
}

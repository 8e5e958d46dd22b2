//! A door for a browser to pages behind an internal listener: whoever sits at this machine comes in as a workload, whose certificate the door shows. Development only.
//!
//! What must hold: it listens on loopback only, under its own name and once; it leads to one path and to what is below it; and a page of another origin gets no
//! further by it than without it: what the browser says of where a form comes from is passed on as it was said, and only the door's own origin becomes that of
//! the pages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use anyhow::{Result, ensure};
use reqwest::{Client, Url};

use crate::pages::is_own_name;
use crate::pki::Identity;
use crate::server::Server;

/// How long the pages may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What of a request goes on, beside its origin.
const ASKED: [&str; 3] = ["accept", "content-type", "sec-fetch-site"];
/// What of an answer comes back.
const ANSWERED: [&str; 9] = [
    "content-type",
    "content-security-policy",
    "referrer-policy",
    "x-frame-options",
    "x-content-type-options",
    "cross-origin-opener-policy",
    "cache-control",
    "location",
    "request-id",
];

/// Where it leads.
#[derive(Debug, Clone)]
struct Beyond {
    inside: Client,
    /// `https://localhost:<port>`.
    origin: String,
    /// The path of the pages, such as `/desk`.
    path: &'static str,
}

/// Opens it at `listen`; `inside` shows the certificate as which one comes in, at `origin`, to `path`.
///
/// # Errors
///
/// `listen` is not on loopback, or cannot be listened on.
pub async fn open(
    listen: SocketAddr,
    identity: &Identity,
    inside: Client,
    origin: &str,
    path: &'static str,
) -> Result<Server> {
    ensure!(listen.ip().is_loopback(), "a door is for this machine alone: {listen} is not on loopback");
    let beyond = Beyond { inside, origin: origin.to_owned(), path };
    let routes = move |config: &mut web::ServiceConfig| {
        config.app_data(web::Data::new(beyond.clone())).default_service(web::to(through));
    };
    Server::start(listen, identity, None, Arc::new(routes)).await
}

async fn through(request: HttpRequest, body: web::Bytes, beyond: web::Data<Beyond>) -> HttpResponse {
    if !is_own_name(&request) {
        return HttpResponse::build(StatusCode::MISDIRECTED_REQUEST).body("this is not served under that name");
    }
    if request.path() == "/" {
        return HttpResponse::SeeOther().insert_header((header::LOCATION, beyond.path)).finish();
    }
    let below = request.path().strip_prefix(beyond.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !below || ![Method::GET, Method::HEAD, Method::POST].contains(request.method()) {
        return HttpResponse::NotFound().body("this door leads elsewhere");
    }
    match tokio::time::timeout(PATIENCE, fetched(&request, body, &beyond)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => HttpResponse::BadGateway().body(format!("the pages do not answer: {error:#}")),
        Err(_late) => HttpResponse::GatewayTimeout().body("the pages do not answer in time"),
    }
}

async fn fetched(request: &HttpRequest, body: web::Bytes, beyond: &Beyond) -> Result<HttpResponse> {
    // Default: where the pages begin.
    let target = request.uri().path_and_query().map_or(beyond.path, |target| target.as_str());
    let url = plain(&beyond.origin, target)?;
    let mut asked = beyond.inside.request(request.method().as_str().parse()?, url);
    for name in ASKED {
        for value in request.headers().get_all(name) {
            asked = asked.header(name, value.as_bytes());
        }
    }
    let own = format!("https://localhost:{}", request.app_config().local_addr().port());
    for origin in request.headers().get_all(header::ORIGIN) {
        let said = origin.as_bytes();
        asked = asked.header("origin", if said == own.as_bytes() { beyond.origin.as_bytes() } else { said });
    }
    if *request.method() == Method::POST {
        asked = asked.body(body);
    }
    let answered = asked.send().await?;
    let mut answer = HttpResponse::build(StatusCode::from_u16(answered.status().as_u16())?);
    for name in ANSWERED {
        for value in answered.headers().get_all(name) {
            answer.append_header((name, value.as_bytes()));
        }
    }
    Ok(answer.body(answered.bytes().await?))
}

/// Whoever reads an address may find another one in it (RFC 3986 §6.2.2): dots lead out of where the door leads.
fn plain(origin: &str, target: &str) -> Result<Url> {
    let whole = format!("{origin}{target}");
    let url: Url = whole.parse()?;
    ensure!(url.as_str() == whole, "the address is not plain");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Pki;
    use crate::server::{FREE, client};

    /// What stands behind: it says what it was asked, and by what origin.
    async fn said(request: HttpRequest, body: web::Bytes) -> HttpResponse {
        let field =
            |name: &str| request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        let text = format!(
            "{} {} origin={:?} site={:?} cookie={:?} body={}",
            request.method(),
            request.uri(),
            field("origin"),
            field("sec-fetch-site"),
            field("cookie"),
            String::from_utf8_lossy(&body)
        );
        HttpResponse::Ok()
            .insert_header(("content-security-policy", "default-src 'none'"))
            .insert_header(("x-inside", "1"))
            .body(text)
    }

    #[tokio::test]
    async fn it_leads_to_the_pages_with_the_certificate_and_makes_no_foreign_form_ours() {
        let pki = Pki::temporary().unwrap();
        let routes = |config: &mut web::ServiceConfig| {
            config.default_service(web::to(said));
        };
        let pages =
            Server::start(FREE, &pki.internal("behavior"), Some(&pki.internal_ca()), Arc::new(routes)).await.unwrap();
        let inside = client(&pki.internal_ca(), Some(&pki.internal("analyst"))).unwrap();
        let door = open(FREE, &pki.public("console"), inside, &pages.url(), "/desk").await.unwrap();
        let browser = client(&pki.public_ca(), None).unwrap();
        let (own, there) = (door.url(), pages.url());
        let root = browser.get(&own).send().await.unwrap();
        assert_eq!((root.status().as_u16(), &root.headers()["location"]), (303, &"/desk".parse().unwrap()));
        let page = browser.get(format!("{own}/desk?limit=1")).header("cookie", "a=b").send().await.unwrap();
        assert_eq!(page.headers()["content-security-policy"], "default-src 'none'");
        assert!(!page.headers().contains_key("x-inside"));
        assert_eq!(page.text().await.unwrap(), "GET /desk?limit=1 origin=[] site=[] cookie=[] body=");
        for (origin, site, comes) in [
            (own.as_str(), "same-origin", there.as_str()),
            ("https://evil.example", "cross-site", "https://evil.example"),
            ("null", "cross-site", "null"),
            (there.as_str(), "same-site", there.as_str()),
        ] {
            let form =
                browser.post(format!("{own}/desk/cases/1")).header("origin", origin).header("sec-fetch-site", site);
            let says = form.body("label=fraud").send().await.unwrap().text().await.unwrap();
            assert_eq!(
                says,
                format!("POST /desk/cases/1 origin={:?} site={:?} cookie=[] body=label=fraud", [comes], [site])
            );
        }
    }

    #[test]
    fn an_address_with_dots_in_it_leads_nowhere() {
        let origin = "https://localhost:7105";
        for target in ["/desk", "/desk?limit=1&after=a%20b", "/desk/cases/01a2"] {
            assert!(plain(origin, target).is_ok(), "{target}");
        }
        for target in ["/desk/../health/ready", "/desk/%2e%2e/health/ready", "/desk/.%2E/x", "/desk/./x", "/desk#x y"] {
            assert!(plain(origin, target).is_err(), "{target}");
        }
    }

    #[tokio::test]
    async fn it_leads_nowhere_else_and_is_for_this_machine_under_its_own_name() {
        let pki = Pki::temporary().unwrap();
        let inside = client(&pki.internal_ca(), Some(&pki.internal("analyst"))).unwrap();
        let nobody = "https://localhost:1";
        let door = open(FREE, &pki.public("console"), inside.clone(), nobody, "/desk").await.unwrap();
        let browser = client(&pki.public_ca(), None).unwrap();
        for (path, status) in [
            ("/desk", 502),
            ("/desks", 404),
            ("/internal/v1/labels", 404),
            ("/health/live", 404),
            ("/desk/cases/1", 502),
        ] {
            assert_eq!(browser.get(format!("{}{path}", door.url())).send().await.unwrap().status(), status, "{path}");
        }
        let renamed = browser.get(format!("{}/desk", door.url())).header("host", "evil.example");
        assert_eq!(renamed.send().await.unwrap().status(), 421);
        assert_eq!(browser.delete(format!("{}/desk", door.url())).send().await.unwrap().status(), 404);
        let everywhere = "0.0.0.0:0".parse().unwrap();
        assert!(open(everywhere, &pki.public("console"), inside, nobody, "/desk").await.is_err());
    }
}

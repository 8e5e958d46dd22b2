//! A service with one route for everything that the tests ask about, and clients for it.
#![expect(clippy::disallowed_methods, reason = "tests speak HTTP from outside the system")]

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use crypto::SecretString;
use runtime::config::{Common, Internal, Listener, Telemetry};
use runtime::{ApiJson, App, Context, PeerId, Problem, Refusal, RouteDoc, Running, Service, SystemClock, health};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::pki::Pki;
use crate::telemetry::INSTALLED;

pub(crate) struct Probe;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) common: Common,
    /// Where `/call` calls, and whom it expects there.
    pub(crate) target: Option<(String, String)>,
    /// Background work ends at once with an error.
    #[serde(default)]
    pub(crate) doomed: bool,
    /// Further background work that does not listen.
    #[serde(default)]
    pub(crate) deaf: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
    number: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: u32,
}

struct ProbeState {
    client: Option<(String, reqwest::Client)>,
}

async fn live() -> web::Json<health::Health> {
    health::live()
}

impl Service for Probe {
    const NAME: &'static str = "probe";
    const REQUEST_DEADLINE: Duration = Duration::from_secs(2);
    type Config = Config;
    type Command = Infallible;

    fn common(config: &Config) -> &Common {
        &config.common
    }

    /// Only what a test counts.
    fn describe() -> Vec<RouteDoc> {
        vec![RouteDoc {
            listener: "public",
            method: "GET".to_owned(),
            path: "/counted".to_owned(),
            guard: "Public".to_owned(),
            policy: "none",
            layers: Vec::new(),
            summary: "Fails.".to_owned(),
            describe: |_| (),
        }]
    }

    async fn command(_config: Config, command: Infallible) -> anyhow::Result<()> {
        match command {}
    }

    async fn build(config: Config, context: Context) -> anyhow::Result<App> {
        let client = match config.target {
            Some((url, peer)) => Some((url, context.clients.internal(&peer)?)),
            None => None,
        };
        let state = web::Data::new(ProbeState { client });
        let (doomed, shutdown) = (config.doomed, context.shutdown);
        let app = App::internal(|routes| {
            routes
                .route("/whoami", web::get().to(whoami))
                .route("/traceparent", web::get().to(traceparent))
                .route("/health/live", web::get().to(live))
                .route("/health/live", web::head().to(live))
                .route("/health/ready", web::get().to(health::ready))
                .route("/health/ready", web::head().to(health::ready));
        })
        .public(move |routes| {
            routes
                .app_data(state.clone())
                .service(web::resource("/notes").route(web::post().to(post_note)).route(web::get().to(list_notes)))
                .route("/notes/{id}", web::get().to(get_note))
                .route("/panic", web::get().to(panics))
                .route("/fail", web::get().to(fails))
                .route("/counted", web::get().to(fails))
                .route("/io", web::get().to(io_error))
                .route("/page", web::get().to(page))
                .route("/oauth", web::get().to(oauth_error))
                .route("/slow", web::get().to(slow))
                .route("/late", web::post().to(late))
                .service(web::resource("/stuck").route(web::get().to(stuck)).route(web::post().to(stuck)))
                .route("/secret", web::get().to(secret))
                .route("/call", web::get().to(call));
        })
        .background("probe work", async move {
            anyhow::ensure!(!doomed, "told to fail");
            shutdown.requested().await;
            Ok(())
        });
        Ok((0..config.deaf).fold(app, |app, _| app.background("deaf work", std::future::pending())))
    }
}

async fn whoami(request: HttpRequest) -> Result<String, Refusal> {
    Ok(PeerId::of(&request).ok_or_else(|| Refusal::unrecorded(Problem::unauthorized()))?.to_string())
}

async fn traceparent(request: HttpRequest) -> String {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    format!("{} {}", header("traceparent"), header("tracestate")).trim().to_owned()
}

async fn post_note(note: ApiJson<Note>) -> HttpResponse {
    HttpResponse::Created().json(note.0)
}

async fn list_notes(page: web::Query<Page>) -> String {
    page.limit.to_string()
}

async fn get_note(id: web::Path<u64>) -> Result<String, Refusal> {
    if *id == 0 { Err(Refusal::unrecorded(Problem::not_found())) } else { Ok(id.to_string()) }
}

async fn panics() -> HttpResponse {
    panic!("deliberately, with hunter2 in it");
}

async fn fails() -> Result<HttpResponse, Refusal> {
    Err(Refusal::internal(&"table notes is on fire"))
}

async fn io_error() -> Result<HttpResponse, std::io::Error> {
    Err(std::io::Error::other("/etc/very/private/path"))
}

async fn page() -> HttpResponse {
    HttpResponse::BadRequest()
        .content_type("text/html; charset=utf-8")
        .insert_header(("cache-control", "private"))
        .body("<p>Wrong password</p>")
}

async fn oauth_error() -> HttpResponse {
    HttpResponse::BadRequest().json(serde_json::json!({ "error": "invalid_grant" }))
}

async fn slow() -> HttpResponse {
    runtime::tracing::info!("begun");
    tokio::time::sleep(Duration::from_millis(600)).await;
    HttpResponse::NoContent().finish()
}

/// Its body waits.
async fn late(request: HttpRequest, payload: web::Payload) -> Result<String, Refusal> {
    tokio::time::sleep(Duration::from_millis(600)).await;
    let body = runtime::extract::read_body(&request, &mut payload.into_inner(), 100_000).await?;
    Ok(format!("{} bytes", body.len()))
}

async fn stuck() -> HttpResponse {
    std::future::pending().await
}

async fn secret() -> HttpResponse {
    let password = SecretString::from("hunter2");
    runtime::tracing::info!(?password, "a careless line");
    runtime::audit!("login", subject = "alice\n{\"level\":\"forged\"}", outcome = "ok");
    HttpResponse::NoContent().finish()
}

async fn call(state: web::Data<ProbeState>) -> Result<String, Refusal> {
    let (url, client) = state.client.as_ref().ok_or_else(|| Refusal::unrecorded(Problem::not_found()))?;
    let answer = runtime::http::send(client.get(format!("{url}/traceparent"))).await;
    let answer = answer.map_err(|error| Refusal::unrecorded(Problem::busy(1).detail(runtime::http::cause(&error))))?;
    answer.text().await.map_err(|error| Refusal::internal(&error))
}

/// A configuration on free ports, as the workload `name`.
pub(crate) fn config(pki: &Pki, name: &str) -> Config {
    let (certificate, key) = pki.public();
    let public = Listener { listen: local(), url: "https://localhost".to_owned(), certificate, key, docs: false };
    let (certificate, key) = pki.internal(name, &[&format!("spiffe://redoubt/{name}")]);
    let internal = Internal {
        listen: local(),
        url: "https://localhost".to_owned(),
        certificate,
        key,
        ca: pki.authority("internal"),
    };
    let common = Common {
        public: Some(public),
        internal,
        database: None,
        telemetry: Telemetry::default(),
        exit_with_parent: false,
        connections: 2048,
        workers: Some(1),
    };
    Config { common, target: None, doomed: false, deaf: 0 }
}

pub(crate) async fn start(config: Config) -> Running {
    LazyLock::force(&INSTALLED);
    runtime::start::<Probe>(config, Arc::new(SystemClock)).await.unwrap()
}

/// A client as the phone is one: it trusts the public authority.
pub(crate) fn outside(pki: &Pki) -> reqwest::Client {
    let tls = runtime::tls::public_client(&pki.authority("public")).unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

/// A client of the internal listener with this certificate.
pub(crate) fn inside(pki: &Pki, (certificate, key): (PathBuf, PathBuf), peer: &str) -> reqwest::Client {
    let identity = Internal { listen: local(), url: String::new(), certificate, key, ca: pki.authority("internal") };
    runtime::Clients::new(identity).internal(peer).unwrap()
}

pub(crate) fn url(address: SocketAddr, path: &str) -> String {
    format!("https://localhost:{}{path}", address.port())
}

pub(crate) fn local() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

/// A connection on which a test says whatever it likes.
pub(crate) type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A connection whose handshake is over.
pub(crate) async fn connected(config: &ClientConfig, address: SocketAddr) -> Connection {
    let config = Arc::new(config.clone());
    let handshake = move || {
        let mut socket = TcpStream::connect(address).unwrap();
        let mut client = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        while client.is_handshaking() {
            client.complete_io(&mut socket).unwrap();
        }
        StreamOwned::new(client, socket)
    };
    spawn_blocking(handshake).await.unwrap()
}

//! One listener: HTTP/1.1 over TLS as the web framework speaks it, and how each connection ends.
//!
//! What never becomes a request (no TLS, no HTTP, a head that is too long) is answered deep in the framework, and its `HttpServer` throws the
//! reason away. So a listener is made here of the parts that `HttpServer` is made of, and each connection that ends for such a reason is one
//! decision in the metrics and, within the bound of `transport`, one line in the audit log. One that says nothing, or breaks off, is nobody's
//! fault, and has none.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::{DispatchError, ParseError};
use actix_http::{HttpService, Protocol};
use actix_server::ServerHandle;
use actix_service::{IntoServiceFactory as _, Service, ServiceFactoryExt as _, apply_fn_factory, map_config};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::dev::{AppConfig, Extensions};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use anyhow::{Result, anyhow};
use rustls::ServerConfig;
use tokio::task::JoinHandle;

use crate::connection::{Connection, HEAD};
use crate::middleware::{Side, Treatment, handle};
use crate::service::Configure;
use crate::transport::Refusals;
use crate::{Clock, extract, peer, watch};

/// How long requests that are under way may take to finish.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);
/// Connections that wait to be taken.
const BACKLOG: u32 = 2048;

/// A listener that listens.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<io::Result<()>>,
}

/// Where and how it listens.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) service: &'static str,
    pub(crate) treatment: Treatment,
    pub(crate) address: SocketAddr,
    pub(crate) workers: usize,
    pub(crate) connections: usize,
}

/// Listens and answers with `routes`, under TLS as `tls` has it.
pub(crate) fn serve(at: Settings, mut tls: ServerConfig, routes: Configure, clock: Arc<dyn Clock>) -> Result<Server> {
    let treatment = at.treatment;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let socket = socket(at.address).map_err(|error| bind_error(at, &error))?;
    let address = socket.local_addr()?;
    let builder = actix_server::Server::build()
        .workers(at.workers)
        .worker_max_blocking_threads(4)
        .max_concurrent_connections(at.connections.div_ceil(at.workers.max(1)))
        .disable_signals()
        .shutdown_timeout(DRAIN.as_secs());
    // As in `HttpServer`: a connection that waits for its next request ends when the listener does. The crates do not document this signal;
    // should it go, nothing compiles, and `the_end_comes_in_time_whatever_hangs` is where to look.
    let ending = builder.graceful_shutdown_signal();
    let refusals = Arc::new(Refusals::new(treatment.side, Arc::clone(&clock)));
    let connections = move || {
        let (routes, clock, ending) = (Arc::clone(&routes), Arc::clone(&clock), ending.clone());
        let refusals = Arc::clone(&refusals);
        let app = App::new()
            .wrap(from_fn(move |request, next| handle(treatment, Arc::clone(&clock), request, next)))
            .configure(extract::configure)
            .configure(|config: &mut web::ServiceConfig| routes(config));
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(Duration::from_secs(2))
            .keep_alive(Duration::from_secs(30))
            .on_connect_ext(|connection: &Connection, data: &mut Extensions| {
                peer::on_connect(connection.tls(), data);
                watch::on_connect(connection.tls(), connection.requests(), data);
                data.insert(connection.waiting().clone());
            })
            // Nothing asks the framework for the server's own name: it stands in the configuration.
            .finish(map_config(app, |()| AppConfig::default()))
            .map_err(TlsError::Service);
        let http = apply_fn_factory(http, serve_connection);
        let tls = Acceptor::new(tls.clone()).map_err(TlsError::into_service_error).and_then(http);
        apply_fn_factory(tls, move |stream: TcpStream, tls| {
            let (peer, ended) = (stream.peer_addr(), tls.call(stream));
            let refusals = Arc::clone(&refusals);
            async move {
                let ended = ended.await;
                if let Some(reason) = ended.as_ref().err().and_then(fault) {
                    refusals.record(peer, reason);
                }
                ended
            }
        })
    };
    let running = builder.listen(at.service, socket, connections)?.run();
    let handle = running.handle();
    tracing::info!(listener = %address, internal = treatment.side == Side::Internal, "listening");
    Ok(Server { address, handle, task: tokio::spawn(running) })
}

/// How a connection ended that did not end well.
type End = TlsError<io::Error, DispatchError>;

/// One connection, from its handshake to the end of the last thing that was asked on it.
fn serve_connection<S>(stream: TlsStream<TcpStream>, http: &S) -> impl Future<Output = Result<(), End>> + use<S>
where
    S: Service<(Connection, Protocol, Option<SocketAddr>), Response = (), Error = End>,
{
    let socket = stream.get_ref().0;
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(cause = %error, "a connection sends small packets late");
    }
    let peer = socket.peer_addr().ok();
    let (connection, slow, requests) = Connection::new(stream);
    let ended = http.call((connection, Protocol::Http1, peer));
    async move {
        let ended = ended.await;
        // Its place in the listener is taken until then.
        requests.ended().await;
        let malformed = matches!(ended, Err(TlsError::Service(DispatchError::Parse(_))));
        if slow.is_so() && !malformed { Err(TlsError::Service(DispatchError::SlowRequestTimeout)) } else { ended }
    }
}

fn socket(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
    // Else the port is taken for a minute after the last process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// What the other side did wrong, if it did; what was ours is told to the log.
fn fault(error: &End) -> Option<&'static str> {
    match error {
        TlsError::Tls(error) if broke_off(error) => None,
        TlsError::Tls(error) => {
            tracing::debug!(cause = %error, "a TLS handshake failed");
            Some("tls_handshake")
        }
        TlsError::Service(DispatchError::Parse(ParseError::TooLarge)) => Some("head_too_large"),
        TlsError::Service(DispatchError::SlowRequestTimeout) => Some("head_too_slow"),
        // Nothing was said, or half a handshake, which the framework does not tell apart; of the stream and not of what stood in it; or the
        // request was answered, and its own line says why.
        TlsError::Timeout
        | TlsError::Service(
            DispatchError::Parse(ParseError::Io(_)) | DispatchError::Io(_) | DispatchError::DisconnectTimeout,
        ) => None,
        TlsError::Service(DispatchError::Parse(error)) => {
            tracing::debug!(cause = %error, "a connection speaks no HTTP");
            Some("http_malformed")
        }
        TlsError::Service(error) => {
            tracing::error!(cause = %error, "a connection ended for a reason of ours");
            None
        }
    }
}

fn broke_off(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn bind_error(at: Settings, error: &io::Error) -> anyhow::Error {
    let (port, section) = (at.address.port(), if at.treatment.side == Side::Public { "public" } else { "internal" });
    let variable = format!("{}__{}__LISTEN", at.service.to_uppercase(), section.to_uppercase());
    match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {port} is in use: stop what listens there (`ss -ltnp sport = :{port}` names it) or choose another with {variable}"
        ),
        ErrorKind::PermissionDenied => {
            anyhow!(
                "port {port} needs privileges that this process does not have: choose one above 1023 with {variable}"
            )
        }
        _ => anyhow!("cannot listen on {}: {error}; {variable} sets the address", at.address),
    }
}

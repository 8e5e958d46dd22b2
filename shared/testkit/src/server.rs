//! A small HTTPS server for stand-ins: actix on a free (or given) port with a certificate of the development PKI. It speaks TLS 1.3 and nothing older, as the
//! services do, and so do the clients here: nobody whom a stand-in imitates is known to speak less, and a service would not notice that it does.
//!
//! It owns its threads, so it runs inside any test runtime, and it ends when its value is dropped.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use anyhow::{Context as _, Result};
use api::attestation::Platform;
use api::user_agent::UserAgent;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;

use crate::phone::app_id;
use crate::pki::{Identity, Pki};

/// A port that is free, on this machine only.
pub const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How long an idle connection is kept.
const KEPT: Duration = Duration::from_secs(75);

/// Routes of a stand-in.
pub type Configure = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// A TLS server on a free port; it ends with its test.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// Serves `routes` at `listen` (port 0: a free one). With `clients`, only peers with a certificate under that authority get in.
    pub async fn start(
        listen: SocketAddr,
        identity: &Identity,
        clients: Option<&Path>,
        routes: Configure,
    ) -> Result<Self> {
        Self::bound(listen, Some(server_tls(identity, clients)?), routes).await
    }

    /// Serves `routes` in the clear on a free port of this machine, to whoever runs here.
    pub async fn in_the_clear(routes: Configure) -> Result<Self> {
        Self::bound(FREE, None, routes).await
    }

    async fn bound(listen: SocketAddr, tls: Option<rustls::ServerConfig>, routes: Configure) -> Result<Self> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // actix wants a System of its own; a thread keeps it apart from the runtime of the test.
        std::thread::Builder::new().name("stand-in".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || App::new().configure(|config| routes(config)))
                    .workers(1)
                    .disable_signals()
                    // Longer than any client of ours keeps an idle connection: it would use one that is just being closed.
                    .keep_alive(KEPT)
                    .shutdown_timeout(1);
                let bound = match tls {
                    Some(tls) => server.bind_rustls_0_23(listen, tls),
                    None => server.bind(listen),
                };
                let server = match bound {
                    Ok(server) => server,
                    Err(error) => return drop(sender.send(Err(error))),
                };
                let address = server.addrs().first().copied();
                let running = server.run();
                drop(
                    sender.send(
                        address
                            .map(|address| (address, running.handle()))
                            .ok_or(std::io::ErrorKind::AddrNotAvailable.into()),
                    ),
                );
                drop(running.await);
            });
        })?;
        let (address, handle) = receiver.await?.with_context(|| format!("cannot listen on {listen}"))?;
        Ok(Self { address, handle })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://localhost:<port>`.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Ends it, and waits until it answers nobody any more: one that is only dropped may, on connections that it has, until it comes to it.
    pub async fn end(self) {
        self.handle.stop(true).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The stop command is queued when the future is made; nobody needs to wait for it.
        drop(self.handle.stop(false));
    }
}

/// Ends when standard input does: so a program cannot outlive whoever started it with an input of its own. A thread of its own reads, because tokio would
/// wait for such a read when it shuts down.
pub async fn parent_gone() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
        drop(sender);
    });
    drop(receiver.await);
}

/// An HTTPS client for tests: it trusts exactly the authority in `roots` and, with an identity, presents it (mTLS).
pub fn client(roots: &Path, identity: Option<&Identity>) -> Result<reqwest::Client> {
    Ok(builder(roots, identity)?.build()?)
}

/// The same without an identity, calling from an address of this machine: all of 127.0.0.0/8 is.
pub fn client_at(roots: &Path, local: IpAddr) -> Result<reqwest::Client> {
    Ok(builder(roots, None)?.local_address(local).build()?)
}

/// The client of the app on Android: as [`client`] for the public listeners, with what the app says of itself.
pub fn app_client(pki: &Pki) -> Result<reqwest::Client> {
    app_client_on(Platform::Android, pki)
}

/// The same, calling from an address of this machine, as [`client_at`].
pub fn app_client_at(pki: &Pki, local: IpAddr) -> Result<reqwest::Client> {
    let headers = app_header_map(Platform::Android, pki)?;
    Ok(builder(&pki.public_ca(), None)?.default_headers(headers).local_address(local).build()?)
}

/// The same on another platform.
pub fn app_client_on(platform: Platform, pki: &Pki) -> Result<reqwest::Client> {
    Ok(builder(&pki.public_ca(), None)?.default_headers(app_header_map(platform, pki)?).build()?)
}

pub(crate) fn app_header_map(platform: Platform, pki: &Pki) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in app_headers_on(platform, pki)? {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value)?);
    }
    Ok(headers)
}

#[expect(clippy::disallowed_methods, reason = "tests speak HTTP from outside the system")]
pub(crate) fn builder(roots: &Path, identity: Option<&Identity>) -> Result<reqwest::ClientBuilder> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(client_tls(roots, identity)?)
        .no_proxy()
        // Servers close what is idle for half a minute: a connection is not used again at that moment.
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none()))
}

/// What the app on Android says of itself: API key and build.
pub fn app_headers(pki: &Pki) -> Result<[(&'static str, String); 2]> {
    app_headers_on(Platform::Android, pki)
}

/// The same on another platform.
pub fn app_headers_on(platform: Platform, pki: &Pki) -> Result<[(&'static str, String); 2]> {
    let (id, version) = (app_id(platform).into(), "1.0.0".to_owned());
    let app = api::attestation::App { id, version, build: 1_u64.into(), platform };
    let agent = UserAgent(&app).to_string();
    Ok([(api::header::API_KEY, pki.api_key(platform)?), ("user-agent", agent)])
}

/// TLS of [`client`].
pub fn client_tls(roots: &Path, identity: Option<&Identity>) -> Result<rustls::ClientConfig> {
    let builder = rustls::ClientConfig::builder_with_provider(crypto::tls::provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(Arc::new(root_store(roots)?));
    Ok(match identity {
        Some(identity) => builder.with_client_auth_cert(chain(&identity.certificate)?, private_key(&identity.key)?)?,
        None => builder.with_no_client_auth(),
    })
}

pub(crate) fn server_tls(identity: &Identity, clients: Option<&Path>) -> Result<rustls::ServerConfig> {
    let builder =
        rustls::ServerConfig::builder_with_provider(crypto::tls::provider()).with_protocol_versions(&[&TLS13])?;
    let builder = match clients {
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(root_store(roots)?), crypto::tls::provider())
                .build()?,
        ),
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_single_cert(chain(&identity.certificate)?, private_key(&identity.key)?)?)
}

fn root_store(path: &Path) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in chain(path)? {
        store.add(certificate)?;
    }
    Ok(store)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let pem = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(PrivateKeyDer::from_pem_slice(&pem)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustls::version::TLS12;
    use rustls::{AlertDescription, ClientConfig, Error, SupportedProtocolVersion};

    use super::*;
    use crate::interception::Interception;

    /// A connection to whoever it is, and the authority of its certificate.
    type Reached<'a> = &'a dyn Fn() -> (std::net::TcpStream, std::path::PathBuf);

    /// What becomes of a handshake with whoever listens there, by a client that knows these versions.
    fn shake(
        mut socket: std::net::TcpStream,
        roots: &Path,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<(), Error> {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let config = ClientConfig::builder_with_provider(crypto::tls::provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(Arc::new(root_store(roots).unwrap()))
            .with_no_client_auth();
        let mut client = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        while client.is_handshaking() {
            while client.wants_write() {
                client.write_tls(&mut socket).unwrap();
            }
            client.read_tls(&mut socket).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    fn proxied(interception: &Interception, server: SocketAddr) -> std::net::TcpStream {
        let mut socket = std::net::TcpStream::connect(interception.address()).unwrap();
        let connect = format!("CONNECT localhost:{} HTTP/1.1\r\n\r\n", server.port());
        std::io::Write::write_all(&mut socket, connect.as_bytes()).unwrap();
        let mut answer = [0; b"HTTP/1.1 200 OK\r\n\r\n".len()];
        socket.read_exact(&mut answer).unwrap();
        socket
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stand_ins_speak_tls_1_3_and_nothing_older() {
        let pki = Pki::temporary().unwrap();
        let server = Server::start(FREE, &pki.public("partner"), None, Arc::new(|_| ())).await.unwrap();
        let interception = Interception::start(&pki.public_ca()).await.unwrap();
        tokio::task::spawn_blocking(move || {
            let direct = || (std::net::TcpStream::connect(server.address()).unwrap(), pki.public_ca());
            let between = || (proxied(&interception, server.address()), interception.authority());
            let stand_ins: [(&str, Reached<'_>); 2] = [("a server", &direct), ("a proxy", &between)];
            for (name, socket) in stand_ins {
                for (versions, expected) in [
                    (&[&TLS13][..], Ok(())),
                    (&[&TLS12, &TLS13], Ok(())),
                    (&[&TLS12], Err(Error::AlertReceived(AlertDescription::ProtocolVersion))),
                ] {
                    let (socket, roots) = socket();
                    assert_eq!(shake(socket, &roots, versions), expected, "{name}, {versions:?}");
                }
            }
        })
        .await
        .unwrap();
    }
}

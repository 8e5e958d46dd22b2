//! An upstream that writes bytes instead of HTTP: for answers that no web server can be made to give, and for what is counted
//! below HTTP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use testkit::pki::Identity;

use crate::bench::ANY;

/// Makes the bytes of an answer from the request's target.
type MakeAnswer = fn(&str) -> String;

/// The upstream. It serves one request per connection, and goes when the process goes.
pub(crate) struct Raw {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Raw {
    /// Starts it with this certificate and one version of TLS.
    pub(crate) fn start(identity: &Identity, version: &'static SupportedProtocolVersion, answer: MakeAnswer) -> Self {
        let chain = CertificateDer::pem_file_iter(&identity.certificate).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
        let config = ServerConfig::builder_with_provider(runtime::tls::provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let (config, listener) = (Arc::new(config), TcpListener::bind(ANY).unwrap());
        let (port, connections) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let config = Arc::clone(&config);
                // A handshake that the other side breaks off is what some tests are about.
                std::thread::spawn(move || drop(stream.and_then(|stream| serve(stream, config, answer))));
            }
        });
        Self { port, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: MakeAnswer) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head);
    let target = head.split(' ').nth(1).unwrap_or_default();
    stream.write_all(answer(target).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

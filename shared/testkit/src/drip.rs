//! A client that speaks HTTP by hand, as no library would: it sends the head of a request and then a byte of its body now and then, to see how
//! long a server puts up with it.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use runtime::RouteDoc;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::pki::Pki;
use crate::server;

/// A client that is never let go gives up after this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// When a server of ours has let go of a client whose body drips: ten seconds for the body, two to close, some for a slow machine.
const LONGEST_DRIP: Duration = Duration::from_secs(16);
const BETWEEN_BYTES: Duration = Duration::from_millis(200);

/// How a body's length is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// The listeners of a service, and who drips at the internal one.
pub struct Target<'a> {
    /// The public listener.
    pub public: Option<SocketAddr>,
    /// The internal listener.
    pub internal: SocketAddr,
    /// Whose certificates they show.
    pub pki: &'a Pki,
    /// The workload that the client shows itself as on the internal listener.
    pub peer: &'a str,
    /// What stands in a path for `{…}`.
    pub id: &'a str,
}

impl Target<'_> {
    /// The listeners by name, and how a client speaks TLS to each.
    pub(crate) fn listeners(&self) -> Result<Vec<(&'static str, SocketAddr, Arc<ClientConfig>)>> {
        let outside = Arc::new(server::client_tls(&self.pki.public_ca(), None)?);
        let inside = Arc::new(server::client_tls(&self.pki.internal_ca(), Some(&self.pki.internal(self.peer)))?);
        let public = self.public.map(|address| ("public", address, outside));
        Ok(public.into_iter().chain([("internal", self.internal, inside)]).collect())
    }
}

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Drip {
    /// The route that is asked.
    pub route: RouteDoc,
    /// How the body was framed.
    pub framing: Framing,
    /// The media type that the route takes.
    pub media_type: &'static str,
    /// The status of the answer, and when it came.
    pub answer: Option<(u16, Duration)>,
    /// When the server ended the connection; `None`: it did not.
    pub closed: Option<Duration>,
}

/// Drips at every route, each in both framings and as JSON and as a form, all at once.
///
/// # Errors
///
/// A listener cannot be reached, or a certificate cannot be read.
pub async fn walk(routes: Vec<RouteDoc>, target: &Target<'_>) -> Result<Vec<Drip>> {
    let app = server::app_headers(target.pki)?.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    let listeners = target.listeners()?;
    let mut drips = tokio::task::JoinSet::new();
    for route in routes {
        let listener = listeners.iter().find(|(name, ..)| *name == route.listener);
        let (_, address, tls) = listener.with_context(|| format!("there is no {} listener", route.listener))?;
        for framing in [Framing::Length, Framing::Chunked] {
            for media_type in ["application/json", "application/x-www-form-urlencoded"] {
                let drip = Drip { route: route.clone(), framing, media_type, answer: None, closed: None };
                let (tls, path, app) = (Arc::clone(tls), filled(&route.path, target.id), app.clone());
                let address = *address;
                drips.spawn_blocking(move || drip.run(address, tls, &path, &app));
            }
        }
    }
    drips.join_all().await.into_iter().collect()
}

/// A TLS connection.
pub(crate) fn connect(address: SocketAddr, tls: Arc<ClientConfig>) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let socket = TcpStream::connect(address).context("no connection")?;
    // The handshake reads as well, and may take its time.
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(ClientConnection::new(tls, ServerName::try_from("localhost")?)?, socket))
}

/// The status that an answer begins with.
pub(crate) fn status(answer: &[u8]) -> Result<u16> {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|text| text.parse().ok()).ok_or_else(|| anyhow!("no HTTP answer: {answer:?}"))
}

/// The path without its `{…}`.
fn filled(path: &str, id: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { id.to_owned() } else { segment.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

impl Drip {
    /// Fails unless the server let go of the client in time.
    ///
    /// # Panics
    ///
    /// It did not.
    pub fn assert_let_go(&self) {
        assert!(self.closed.is_some_and(|after| after < LONGEST_DRIP), "{self:?}");
    }

    #[expect(clippy::disallowed_methods, reason = "how long a server waits is what is measured")]
    fn run(mut self, address: SocketAddr, tls: Arc<ClientConfig>, path: &str, app: &str) -> Result<Self> {
        let mut stream = connect(address, tls)?;
        let length = match self.framing {
            Framing::Length => "Content-Length: 60000",
            Framing::Chunked => "Transfer-Encoding: chunked",
        };
        let (method, media_type) = (&self.route.method, self.media_type);
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{app}Content-Type: {media_type}\r\n{length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).context("the head was not taken")?;
        stream.sock.set_read_timeout(Some(BETWEEN_BYTES))?;
        let (started, mut answer) = (Instant::now(), Vec::new());
        while started.elapsed() < PATIENCE {
            let byte: &[u8] = if self.framing == Framing::Length { b" " } else { b"1\r\n \r\n" };
            let sent = stream.write_all(byte).and_then(|()| stream.flush());
            let ended = sent.is_err() || listen(&mut stream, &mut answer);
            if self.answer.is_none() && answer.len() > 12 {
                self.answer = Some((status(&answer)?, started.elapsed()));
            }
            if ended {
                self.closed = Some(started.elapsed());
                break;
            }
        }
        Ok(self)
    }
}

/// Reads what is there; true at the end of the connection.
pub(crate) fn listen(stream: &mut StreamOwned<ClientConnection, TcpStream>, heard: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => true,
        Ok(count) => {
            heard.extend_from_slice(buffer.get(..count).unwrap_or_default());
            false
        }
        Err(error) => !is_silence(&error),
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

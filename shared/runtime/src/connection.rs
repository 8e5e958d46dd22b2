//! A connection as the framework reads and writes it: what passes is looked at on its way in.
//!
//! What the framework says to whoever waits before a body passes here as well, and is held back until the body is read (see `continuing`).
//!
//! Two things are seen here that nothing behind it shows: a head whose lines do not end as they must (see `heads`), and a head that does not
//! come to its end. The framework gives up on a connection's first head, and answers it; a later one is given up here: the rest is not
//! read, and whatever was asked before it is answered.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::continuing::{CONTINUE, Continue};
use crate::heads::{Heads, Looked};
use crate::watch::Requests;

/// Time for a head, from its first byte; for a connection's first one, from the handshake.
pub(crate) const HEAD: Duration = Duration::from_secs(5);

/// A TLS connection that is looked at.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    heads: Heads,
    /// When the head that is under way is given up.
    late: Option<Pin<Box<Sleep>>>,
    slow: Slow,
    waiting: Continue,
    requests: Requests,
    /// The end of all that is under way, while it is waited for.
    end: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Bytes that are said of what was held back.
    said: usize,
}

/// Whether a head of a connection was given up because it was too slow, if it was not malformed. The framework does not say so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slow(Rc<Cell<bool>>);

impl Slow {
    pub(crate) fn is_so(&self) -> bool {
        self.0.get()
    }
}

impl Connection {
    pub(crate) fn new(stream: TlsStream<TcpStream>) -> (Self, Slow, Requests) {
        let (slow, requests) = (Slow::default(), Requests::default());
        let connection = Self {
            stream,
            heads: Heads::default(),
            late: None,
            slow: slow.clone(),
            waiting: Continue::default(),
            requests: requests.clone(),
            end: None,
            said: 0,
        };
        (connection, slow, requests)
    }

    /// For whoever begins a request of this connection.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// For whoever reads a body of this connection.
    pub(crate) fn waiting(&self) -> &Continue {
        &self.waiting
    }

    /// Tells whoever waits to go on, if it is time.
    fn poll_continue(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.said == 0 && self.waiting.is_due() {
            self.said = ready!(Pin::new(&mut self.stream).poll_write(context, CONTINUE))?;
        }
        self.poll_said(context)
    }

    /// What has been begun to be said is said to its end before anything else.
    fn poll_said(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.said > 0 {
            // Default: all of it is said.
            let rest = CONTINUE.get(self.said..).unwrap_or_default();
            if rest.is_empty() {
                ready!(Pin::new(&mut self.stream).poll_flush(context))?;
                self.waiting.said();
                self.said = 0;
            } else {
                self.said += ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn tls(&self) -> &TlsStream<TcpStream> {
        &self.stream
    }

    /// Notes the framework's word that a first head was too slow: nothing else is a 408 while there is no request.
    fn answer(&mut self, bytes: &[u8]) -> Pin<&mut TlsStream<TcpStream>> {
        if self.heads.is_within() && !self.heads.is_past_the_first() && bytes.starts_with(b"HTTP/1.1 408 ") {
            self.slow.0.set(true);
        }
        Pin::new(&mut self.stream)
    }

    /// Looks at what came; so many bytes of it are passed on.
    fn look(&mut self, came: &mut [u8]) -> usize {
        let passed = match self.heads.read(came) {
            Looked::Good => came.len(),
            Looked::Wrong => {
                tracing::debug!("a line of a head or trailer ends with LF alone, or is longer than any of its kind");
                came.len()
            }
            Looked::Over(passed) => passed,
        };
        if !self.heads.is_within() {
            self.late = None;
        } else if self.late.is_none() && self.heads.is_past_the_first() {
            self.late = Some(Box::pin(tokio::time::sleep(HEAD)));
        }
        passed
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        ready!(connection.poll_continue(context))?;
        if connection.heads.is_over() {
            // The end of what is read, once nothing is under way: before, the framework would take it for the end of a body that it has not handed on yet.
            let requests = connection.requests.clone();
            let end = connection.end.get_or_insert_with(|| Box::pin(async move { requests.ended().await }));
            ready!(end.as_mut().poll(context));
            connection.end = None;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut connection.stream).poll_read(context, buffer) {
            let came =
                buffer.filled_mut().get_mut(before..).ok_or_else(|| io::Error::other("a read took bytes away"))?;
            let passed = connection.look(came);
            buffer.set_filled(before + passed);
            return Poll::Ready(read);
        }
        let Some(late) = &mut connection.late else { return Poll::Pending };
        ready!(late.poll_unpin(context));
        connection.slow.0.set(true);
        // The end of what is read.
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        ready!(connection.poll_said(context))?;
        let held = connection.waiting.hold(bytes);
        if held > 0 {
            return Poll::Ready(Ok(held));
        }
        connection.answer(bytes).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        ready!(connection.poll_said(context))?;
        // Default: nothing, of which nothing is said.
        let first: &[u8] = slices.first().map_or(&[], |slice| slice);
        let held = connection.waiting.hold(first);
        if held > 0 {
            return Poll::Ready(Ok(held));
        }
        connection.answer(first).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

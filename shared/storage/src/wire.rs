//! What the server says beside the rows: the SQLSTATE of each error.
//!
//! diesel keeps the code of an error only where it has a kind for it; a full disk, a time-out and a typing error in SQL all arrive as
//! `Unknown` with a text in the server's language. The code is on the wire, so it is read there: [`ObservedStream`] passes the bytes of a
//! connection on and remembers the code and text of the last errors in them ([`WireState`]), by which [`crate::Connection`] finds the code of
//! the error that diesel hands it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use crate::sqlstate;

/// Errors that are remembered: those of statements that were sent together.
const KEPT: usize = 8;
/// Of a longer error message nothing is kept; its code stays unknown.
const LONGEST: usize = 16 * 1024;

/// What is known of a connection beside its answers.
#[derive(Debug, Default)]
pub(crate) struct WireState {
    errors: Mutex<VecDeque<(String, String)>>,
    /// Not to be lent again.
    unfit: AtomicBool,
}

impl WireState {
    /// The code of the last error with this text.
    pub(crate) fn code_of(&self, message: &str) -> Option<String> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.iter().rev().find(|(_, text)| text == message).map(|(code, _)| code.clone())
    }

    /// The code of the last error.
    pub(crate) fn last_code(&self) -> Option<String> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).back().map(|(code, _)| code.clone())
    }

    /// From now on the connection is not lent again.
    pub(crate) fn retire(&self) {
        self.unfit.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.unfit.load(Ordering::Relaxed)
    }

    fn error(&self, body: &[u8]) {
        let (mut code, mut message) = (None, None);
        // Fields of the form: one letter, text, zero (PostgreSQL, "Error and Notice Message Fields").
        for field in body.split(|byte| *byte == 0) {
            match field.split_first() {
                Some((b'C', text)) => code = Some(String::from_utf8_lossy(text).into_owned()),
                Some((b'M', text)) => message = Some(String::from_utf8_lossy(text).into_owned()),
                _ => (),
            }
        }
        if let (Some(code), Some(message)) = (code, message) {
            if sqlstate::retires(&code) {
                self.retire();
            }
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            if errors.len() == KEPT {
                errors.pop_front();
            }
            errors.push_back((code, message));
        }
    }
}

/// A stream that is listened to.
#[derive(Debug)]
pub(crate) struct ObservedStream<S> {
    stream: S,
    wire: Arc<WireState>,
    reader: Reader,
}

impl<S> ObservedStream<S> {
    pub(crate) fn new(stream: S, wire: Arc<WireState>) -> Self {
        Self { stream, wire, reader: Reader::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ObservedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buffer);
        // Default: nothing was read.
        if let Some(news) = buffer.filled().get(before..) {
            this.reader.read(news, &this.wire);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ObservedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for ObservedStream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

/// Puts [`ObservedStream`] where the driver would put TLS: the only place where it lets a stream of ours in. No byte is changed by it.
#[derive(Debug, Clone)]
pub(crate) struct Listening(pub(crate) Arc<WireState>);

impl<S: AsyncRead + AsyncWrite + Unpin> MakeTlsConnect<S> for Listening {
    type Stream = ObservedStream<S>;
    type TlsConnect = Self;
    type Error = io::Error;

    fn make_tls_connect(&mut self, _domain: &str) -> Result<Self, io::Error> {
        Ok(self.clone())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Listening {
    type Stream = ObservedStream<S>;
    type Error = io::Error;
    type Future = std::future::Ready<Result<ObservedStream<S>, io::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        std::future::ready(Ok(ObservedStream::new(stream, self.0)))
    }
}

/// Follows the messages of the server: a type, a length that counts itself, a body. Only the bodies of errors are kept.
#[derive(Debug, Default)]
struct Reader {
    head: [u8; 5],
    /// Bytes of `head` that are there.
    have: usize,
    /// Bytes of the body that are still to come.
    left: usize,
    error: Vec<u8>,
}

impl Reader {
    fn read(&mut self, mut bytes: &[u8], wire: &WireState) {
        while let Some((first, rest)) = bytes.split_first() {
            if let Some(place) = self.head.get_mut(self.have) {
                *place = *first;
                self.have += 1;
                bytes = rest;
                if self.have == self.head.len() {
                    let [_, a, b, c, d] = self.head;
                    self.left =
                        // Default: beyond what memory can address: skipped to the end.
                        usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX).saturating_sub(4);
                    self.error.clear();
                }
            } else {
                let (body, rest) = bytes.split_at(self.left.min(bytes.len()));
                if self.is_error() && self.error.len() + body.len() <= LONGEST {
                    self.error.extend_from_slice(body);
                }
                self.left -= body.len();
                bytes = rest;
            }
            if self.have == self.head.len() && self.left == 0 {
                if self.is_error() {
                    wire.error(&self.error);
                }
                self.have = 0;
            }
        }
    }

    fn is_error(&self) -> bool {
        let [kind, ..] = self.head;
        kind == b'E'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], length.to_be_bytes().as_slice(), body].concat()
    }

    fn error(code: &str, text: &str) -> Vec<u8> {
        message(b'E', format!("SERROR\0VERROR\0C{code}\0M{text}\0Fx.c\0\0").as_bytes())
    }

    #[test]
    fn errors_are_found_between_other_messages_however_the_bytes_are_cut() {
        let bytes = [
            message(b'T', b"E\0\0\0\x10C53100\0Mno\0"),
            error("53100", "could not extend file"),
            message(b'Z', b"E"),
            message(b'n', b""),
            error("57014", "canceling statement"),
        ]
        .concat();
        for size in 1..bytes.len() {
            let (mut reader, wire) = (Reader::default(), WireState::default());
            for part in bytes.chunks(size) {
                reader.read(part, &wire);
            }
            assert_eq!(wire.code_of("could not extend file").as_deref(), Some("53100"), "{size}");
            assert_eq!(wire.code_of("canceling statement").as_deref(), Some("57014"), "{size}");
            assert_eq!(wire.code_of("no"), None);
        }
    }

    #[test]
    fn only_the_last_errors_are_remembered_and_none_of_any_length() {
        let (mut reader, wire) = (Reader::default(), WireState::default());
        for n in 0..20 {
            reader.read(&error("P0001", &format!("error {n}")), &wire);
        }
        assert_eq!((wire.code_of("error 11"), wire.code_of("error 12").as_deref()), (None, Some("P0001")));
        let long = "x".repeat(LONGEST);
        reader.read(&error("P0001", &long), &wire);
        reader.read(&error("P0001", "after it"), &wire);
        assert_eq!((wire.code_of(&long), wire.code_of("after it").as_deref()), (None, Some("P0001")));
    }

    #[test]
    fn a_connection_that_only_reads_is_not_lent_again() {
        let (mut reader, wire) = (Reader::default(), WireState::default());
        reader.read(&error("23505", "duplicate key"), &wire);
        assert!(!wire.is_retired());
        reader.read(&error("25006", "cannot execute INSERT in a read-only transaction"), &wire);
        assert!(wire.is_retired());
    }
}

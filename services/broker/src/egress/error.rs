//! Why a request to a provider got no answer that can be used.

use std::error::Error;
use std::io;

use thiserror::Error;

use super::resolver::AddressRefused;

/// A body that is not read to its end, or not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More bytes than the operation allows.
    #[error("the answer is too large")]
    TooLarge,
    /// Compressed, although we asked for identity: a bomb is not unpacked to find out.
    #[error("the answer is compressed")]
    Encoded,
    /// Another media type than agreed.
    #[error("the answer is of another media type")]
    MediaType,
    /// Where it ends is said twice, or in a way that readers understand differently. Whatever follows on the connection could be
    /// taken for the answer to another request (RFC 9112 §6.3, §11.2).
    #[error("the answer's length is ambiguous")]
    Framing,
}

/// Why a request got no answer that can be used.
#[derive(Debug, Error)]
pub enum EgressError {
    /// The name resolved to an address that it may not have. Nothing was sent.
    #[error(transparent)]
    Address(#[from] AddressRefused),
    /// Whoever answers cannot prove to be the provider. Nothing was sent.
    #[error("not the provider's certificate: {0}")]
    Certificate(String),
    /// No connection (name, network, TLS version). Nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The time ran out. The request may have arrived.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or what came back is not HTTP. The request may have arrived.
    #[error("the exchange broke: {0}")]
    Broken(String),
    /// The body is larger than allowed, compressed or not of the agreed type.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl EgressError {
    /// Whether it is certain that the provider has not seen the request.
    pub fn before_sending(&self) -> bool {
        matches!(self, Self::Address(_) | Self::Certificate(_) | Self::Connect(_))
    }
}

impl From<reqwest::Error> for EgressError {
    fn from(error: reqwest::Error) -> Self {
        let mut cause = error.source();
        let mut innermost = String::new();
        while let Some(inner) = cause {
            if let Some(refused) = inner.downcast_ref::<AddressRefused>() {
                return Self::Address(refused.clone());
            }
            if let Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) =
                inner.downcast_ref()
            {
                return Self::Certificate(inner.to_string());
            }
            innermost = inner.to_string();
            cause = below(inner);
        }
        if error.is_connect() {
            return Self::Connect(innermost);
        }
        if error.is_timeout() { Self::Timeout } else { Self::Broken(innermost) }
    }
}

/// The cause of an error. `io::Error` passes over the very error that it wraps, and that is where TLS puts its own.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

//! Who is at the other end of an internal connection: the SPIFFE id in the client's certificate.

use std::fmt;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use actix_web::{HttpMessage, HttpRequest};
use api::service::TRUST_DOMAIN;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The caller on the internal listener, proven by its certificate. Found in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerId(String);

impl PeerId {
    /// The id of the workload `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The workload's name, e.g. `ledger`; the full id is what this value displays as.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The peer that sent this request; `None` on the public listener.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{TRUST_DOMAIN}/{}", self.0)
    }
}

/// Reads the SPIFFE id of a certificate whose chain has been verified.
///
/// Exactly one URI SAN, as the X.509-SVID standard (§2) demands, of our trust domain and with one path segment.
pub(crate) fn of_certificate(der: &[u8]) -> Option<PeerId> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let (Some(uri), None, true) = (uris.next(), uris.next(), rest.is_empty()) else {
        return None;
    };
    let name = uri.strip_prefix("spiffe://")?.strip_prefix(TRUST_DOMAIN)?.strip_prefix('/')?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!name.is_empty() && name.len() <= 64 && name.bytes().all(plain)).then(|| PeerId(name.to_owned()))
}

/// actix's `on_connect`: keeps the peer's id with the connection.
pub(crate) fn on_connect(stream: &TlsStream<TcpStream>, data: &mut Extensions) {
    let (_, session) = stream.get_ref();
    if let Some(peer) = session.peer_certificates().and_then(<[_]>::first).and_then(|leaf| of_certificate(leaf)) {
        data.insert(peer);
    }
}

//! TLS, 1.3 only: the public listener, the internal listener (mutual), and the internal client.
//!
//! Inside the system names do not decide, identities do: both ends show a certificate of the internal authority, and
//! what is compared is the SPIFFE id in it. So a client that was led to the wrong address talks to nobody.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};

use crate::config::Internal;
use crate::credentials::{Credentials, certificates};
use crate::peer::{self, PeerId};

pub use crypto::tls::provider;

/// TLS of the public listener.
pub(crate) fn public_server(shown: Arc<Credentials>) -> Result<ServerConfig> {
    Ok(ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(shown))
}

/// TLS of the internal listener: no client certificate of our authority, no connection.
pub(crate) fn internal_server(internal: &Internal, shown: Arc<Credentials>) -> Result<ServerConfig> {
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(authority(&internal.ca)?), provider()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(shown);
    // Every connection shows its certificate: a resumed session would outlive the certificate that opened it.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// TLS of a client that speaks to the workload `peer` and to nobody else, as this service.
pub(crate) fn internal_client(internal: &Internal, shown: Arc<Credentials>, peer: &str) -> Result<ClientConfig> {
    let verifier =
        SpiffeServer { authority: authority(&internal.ca)?, expected: PeerId::new(peer), provider: provider() };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(shown);
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// TLS of a client of public listeners that trusts exactly the authorities in `file`.
pub fn public_client(file: &Path) -> Result<ClientConfig> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(authority(file)?)
        .with_no_client_auth())
}

/// TLS of a client that trusts nobody: for plain HTTP only.
pub(crate) fn no_tls() -> Result<ClientConfig> {
    Ok(ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn authority(path: &Path) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).with_context(|| format!("certificate authority {}", path.display()))?;
    }
    Ok(store)
}

/// Verifies the chain as webpki does, then the SPIFFE id instead of the host name.
#[derive(Debug)]
struct SpiffeServer {
    authority: RootCertStore,
    expected: PeerId,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SpiffeServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.authority,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        match peer::of_certificate(end_entity) {
            Some(id) if id == self.expected => Ok(ServerCertVerified::assertion()),
            Some(id) => Err(rustls::Error::General(format!("the server is {id}, not {}", self.expected))),
            None => Err(rustls::Error::General(format!("the server has no SPIFFE id, expected {}", self.expected))),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

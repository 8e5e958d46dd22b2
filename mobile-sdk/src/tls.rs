//! TLS 1.3 only, our own trust anchors only, and pins on the *verified path*.
//!
//! A pin is looked for among the keys of the path that verification has built, never among the certificates that the
//! server has sent: a server with a certificate of another trusted authority could add our pinned certificate to its
//! chain, where it proves nothing (the class of CVE-2016-2402).

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::Error;
use crate::pins::{Pin, PinSet};
use crate::platform::Clock;

/// Why a certificate that may be in order otherwise was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PinError {
    #[error("no pinned key on the verified path")]
    NoPin,
    #[error("the pin set has expired")]
    Expired,
}

/// The TLS configuration: fails closed on everything that is not pinned.
pub(crate) fn client_config(
    anchors: &[CertificateDer<'static>],
    pins: PinSet,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, Error> {
    let provider = crypto::tls::provider();
    let verifier = Arc::new(PinnedVerifier {
        anchors: parse_anchors(anchors)?,
        pins,
        algorithms: provider.signature_verification_algorithms,
    });
    let mut config =
        builder(provider, clock)?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session shows no certificate, so nobody would look at the pins and their expiry.
    config.resumption = Resumption::disabled();
    // Early data can be replayed by the network (RFC 8446 §8).
    config.enable_early_data = false;
    Ok(config)
}

fn builder(
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    ClientConfig::builder_with_details(provider, Arc::new(PlatformTime(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| Error::Config("no TLS 1.3"))
}

fn parse_anchors(anchors: &[CertificateDer<'static>]) -> Result<Vec<TrustAnchor<'static>>, Error> {
    if anchors.is_empty() {
        return Err(Error::Config("no trust anchor"));
    }
    let parse = |der| webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned());
    anchors
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::Config("a trust anchor is not a certificate"))
}

struct PlatformTime(Arc<dyn Clock>);

impl fmt::Debug for PlatformTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformTime")
    }
}

impl TimeProvider for PlatformTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.unix()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

#[derive(Debug)]
struct PinnedVerifier {
    anchors: Vec<TrustAnchor<'static>>,
    pins: PinSet,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedVerifier {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if self.pins.has_expired(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)) {
            return Err(refusal(PinError::Expired));
        }
        let certificate = EndEntityCert::try_from(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        certificate.verify_is_valid_for_subject_name(name).map_err(|_| CertificateError::NotValidForName)?;
        let host = name.to_str();
        let verified_without_pin = Cell::new(false);
        // Called for paths that are verified up to an anchor; after a refusal the search goes on, so that a
        // cross-signed chain passes when any of its valid paths has a pin.
        let pinned = |path: &VerifiedPath<'_>| {
            if self.pins.accepts(&host, path_pins(path)) {
                return Ok(());
            }
            verified_without_pin.set(true);
            Err(webpki::Error::UnknownIssuer)
        };
        let usage = KeyUsage::server_auth();
        certificate
            .verify_for_usage(self.algorithms.all, &self.anchors, intermediates, now, usage, None, Some(&pinned))
            .map(|_| ())
            .map_err(
                |error| {
                    if verified_without_pin.get() { refusal(PinError::NoPin) } else { certificate_error(&error) }
                },
            )
    }
}

/// The keys of the path: leaf, intermediates that were used, anchor.
fn path_pins<'a>(path: &'a VerifiedPath<'a>) -> impl Iterator<Item = Pin> + 'a {
    let leaf = std::iter::once_with(|| Pin::of_key(&path.end_entity().subject_public_key_info()));
    let intermediates = path.intermediate_certificates().map(|cert| Pin::of_key(&cert.subject_public_key_info()));
    let anchor = std::iter::once_with(|| Pin::of_key(&webpki::spki_for_anchor(path.anchor())));
    leaf.chain(intermediates).chain(anchor)
}

fn refusal(error: PinError) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

fn certificate_error(error: &webpki::Error) -> rustls::Error {
    let error = match error {
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        _ => CertificateError::ApplicationVerificationFailure,
    };
    rustls::Error::InvalidCertificate(error)
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(end_entity, intermediates, server_name, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

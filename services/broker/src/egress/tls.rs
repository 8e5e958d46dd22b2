//! TLS toward one provider. Built here and from files alone, so that nothing of the environment (`SSL_CERT_FILE`, `SSLKEYLOGFILE`)
//! decides whom the broker believes.

use std::io::ErrorKind;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use crate::providers::Provider;
use crate::providers::manifest::Tls;

/// Where systems keep the authorities of the public web. The system's and not a list in the binary: whoever keeps the machine
/// up to date withdraws an authority there, without a new release of ours.
const SYSTEM: [&str; 4] = [
    // Debian, Ubuntu, Alpine, Arch.
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, RHEL.
    "/etc/pki/tls/certs/ca-bundle.crt",
    // SUSE.
    "/etc/ssl/ca-bundle.pem",
    // macOS, FreeBSD.
    "/etc/ssl/cert.pem",
];

/// The configuration of a provider's connections.
pub(super) fn config(provider: &Provider) -> Result<ClientConfig, String> {
    let roots = match &provider.roots {
        // Only these: a certificate from any other authority, however public, is not this provider's.
        Some(file) => own(file)?,
        None => system()?,
    };
    let mut config = ClientConfig::builder_with_provider(runtime::tls::provider())
        .with_protocol_versions(&versions(provider.tls))
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn versions(oldest: Tls) -> Vec<&'static SupportedProtocolVersion> {
    match oldest {
        Tls::V13 => vec![&version::TLS13],
        Tls::V12 => vec![&version::TLS13, &version::TLS12],
    }
}

fn own(file: &Path) -> Result<RootCertStore, String> {
    let failed = |error: String| format!("{}: {error}", file.display());
    let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() { Err(failed("no PEM certificate in it".to_owned())) } else { Ok(roots) }
}

fn system() -> Result<RootCertStore, String> {
    for file in SYSTEM {
        let pem = match std::fs::read(file) {
            Ok(pem) => pem,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{file}: {error}")),
        };
        // Of a hundred authorities one may be of a form that we do not read; it then vouches for nobody.
        // Default: an authority that cannot be read vouches for nobody.
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        let mut roots = RootCertStore::empty();
        let (read, unread) = roots.add_parsable_certificates(certificates);
        tracing::debug!(file, read, unread, "authorities of the system");
        return if read == 0 { Err(format!("{file}: no certificate that can be read")) } else { Ok(roots) };
    }
    Err(format!("the system has no authorities in {}; name some in root_certificates_file", SYSTEM.join(", ")))
}

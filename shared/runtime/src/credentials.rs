//! A certificate chain and its key, read again from their files while the process runs: whoever renews certificates writes the
//! files and restarts nothing.
//!
//! Invariants:
//! - a handshake never reads a file, and there is always a pair to answer with: the last good one;
//! - a pair is taken only if the process would have started with it: readable, the key private, and of this certificate;
//! - a connection keeps what it was opened with.
//!
//! Authorities are not read again: whom a process believes is decided when it starts.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use crypto::{SecretBytes, hash};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::Shutdown;

/// How long a new pair may lie there unnoticed.
const LOOK: Duration = Duration::from_secs(2);

/// What one side of a connection shows.
#[derive(Debug)]
pub(crate) struct Credentials {
    certificate: PathBuf,
    key: PathBuf,
    /// The last good pair.
    shown: RwLock<Arc<CertifiedKey>>,
    /// Which content, or which failure to read it, was judged last. Not the content: it has a key in it.
    judged: Mutex<[u8; 32]>,
}

impl Credentials {
    /// Reads the pair, which must be usable.
    pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>> {
        let files = read(certificate, key);
        let judged = Mutex::new(fingerprint(&files));
        let shown = RwLock::new(pair(files, certificate, key)?);
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), shown, judged }))
    }

    /// Reads the files and takes what is new in them, if it is usable; else says why not, once.
    fn look(&self) {
        let files = read(&self.certificate, &self.key);
        let found = fingerprint(&files);
        let known = std::mem::replace(&mut *self.judged.lock().unwrap_or_else(PoisonError::into_inner), found);
        if found == known {
            return;
        }
        let certificate = self.certificate.display();
        match pair(files, &self.certificate, &self.key) {
            Ok(pair) => {
                *self.shown.write().unwrap_or_else(PoisonError::into_inner) = pair;
                tracing::info!(%certificate, "a new certificate is shown from now on");
            }
            Err(error) => {
                let cause = format!("{error:#}");
                tracing::error!(%certificate, %cause, "a new certificate is not usable; the one before is still shown");
            }
        }
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Looks after them until the process goes down.
pub(crate) async fn watch(all: Vec<Arc<Credentials>>, shutdown: Shutdown) {
    while shutdown.pause(LOOK).await {
        for credentials in all.iter().map(Arc::clone) {
            // A file may lie on a disk that hangs. Its end says nothing, for it does not panic.
            drop(tokio::task::spawn_blocking(move || credentials.look()).await);
        }
    }
}

/// The certificates of a file, of which there is at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    chain(&read_certificate(path)?, path)
}

/// The content of both files.
fn read(certificate: &Path, key: &Path) -> Result<(Vec<u8>, SecretBytes)> {
    Ok((read_certificate(certificate)?, crypto::files::read_secret(key)?))
}

fn read_certificate(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("certificate file {} cannot be read", path.display()))
}

fn fingerprint(files: &Result<(Vec<u8>, SecretBytes)>) -> [u8; 32] {
    match files {
        Ok((certificate, key)) => hash::sha256(&[hash::sha256(certificate), hash::sha256(key.expose())].concat()),
        Err(error) => hash::sha256(format!("{error:#}").as_bytes()),
    }
}

/// What was read as a pair that belongs together.
fn pair(files: Result<(Vec<u8>, SecretBytes)>, certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>> {
    let (chain_pem, key_pem) = files?;
    let chain = chain(&chain_pem, certificate)?;
    let private = PrivateKeyDer::from_pem_slice(key_pem.expose())
        .with_context(|| format!("key file {} is not a PEM key", key.display()))?;
    let pair = CertifiedKey::from_der(chain, private, &crypto::tls::provider())
        .with_context(|| format!("certificate {} and its key", certificate.display()))?;
    Ok(Arc::new(pair))
}

fn chain(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .with_context(|| format!("certificate file {} is not PEM", path.display()))?;
    if chain.is_empty() {
        return Err(anyhow!("certificate file {} has no certificate", path.display()));
    }
    Ok(chain)
}

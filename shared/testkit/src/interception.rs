//! Who stands between phone and servers with a certificate that the phone accepts: a proxy such as mitmproxy, whose authority somebody has
//! installed on a phone that no longer looks at pins.
//!
//! It ends TLS on both sides, changes nothing and hears everything. It goes to this machine only.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use api::attestation::Platform;
use reqwest::header::HeaderMap;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::pki::Pki;
use crate::server;

/// Longest head of a `CONNECT`.
const HEAD: usize = 4 * 1024;

/// The proxy. Dropped, it closes what goes through it.
pub struct Interception {
    address: SocketAddr,
    rogue: Pki,
    heard: Heard,
    accepting: JoinHandle<()>,
}

type Heard = Arc<Mutex<Vec<u8>>>;

impl Interception {
    /// Starts one that believes in `authority`, as an honest client of the servers does, and has an authority of its own.
    pub async fn start(authority: &Path) -> Result<Self> {
        let rogue = Pki::temporary()?;
        let acceptor = TlsAcceptor::from(Arc::new(server::server_tls(&rogue.public("ledger"), None)?));
        let connector = TlsConnector::from(Arc::new(server::client_tls(authority, None)?));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, heard) = (listener.local_addr()?, Heard::default());
        let hearing = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, connector, heard) = (acceptor.clone(), connector.clone(), Arc::clone(&hearing));
                connections.spawn(async move { pass(client, &acceptor, &connector, &heard).await });
            }
        });
        Ok(Self { address, rogue, heard, accepting })
    }

    /// Where it listens.
    #[cfg(test)]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Of the certificates that it shows.
    #[cfg(test)]
    pub(crate) fn authority(&self) -> std::path::PathBuf {
        self.rogue.public_ca()
    }

    /// The client of a phone that was brought to go through it and to accept its certificates.
    pub fn client(&self, headers: HeaderMap) -> Result<reqwest::Client> {
        let proxy = reqwest::Proxy::https(format!("http://{}", self.address))?;
        Ok(server::builder(&self.rogue.public_ca(), None)?.proxy(proxy).default_headers(headers).build()?)
    }

    /// The app's client, on such a phone.
    pub fn app_client(&self, pki: &Pki) -> Result<reqwest::Client> {
        self.client(server::app_header_map(Platform::Android, pki)?)
    }

    /// All bytes of both directions so far.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether `text` can be read in what was heard: as it is, or in base64 of either alphabet, which is where tokens have theirs.
    pub fn reads(&self, text: &str) -> bool {
        reads(&self.heard(), text)
    }
}

impl Drop for Interception {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn reads(heard: &[u8], text: &str) -> bool {
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+/".contains(byte);
    let mut runs = heard.split(|byte| !in_base64(byte)).filter(|run| run.len() >= text.len());
    has(heard) || runs.any(|run| (0..4).any(|skipped| decoded(run.get(skipped..)).is_some_and(|bytes| has(&bytes))))
}

/// Filled up to whole groups of four, so that what is in the last one is read, too.
fn decoded(run: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut text = std::str::from_utf8(run?).ok()?.replace('+', "-").replace('/', "_");
    while text.len() % 4 != 0 {
        text.push('A');
    }
    crypto::b64::decode(&text).ok()
}

/// `CONNECT localhost:port`, then what the client says to the server there, and back.
async fn pass(mut client: TcpStream, acceptor: &TlsAcceptor, connector: &TlsConnector, heard: &Heard) -> Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(asked.len() < HEAD, "the head of the CONNECT does not end");
        asked.push(client.read_u8().await?);
    }
    let asked = String::from_utf8(asked)?;
    let port = asked.strip_prefix("CONNECT localhost:").and_then(|rest| rest.split(' ').next());
    let port: u16 = port.context("not a CONNECT to this machine")?.parse()?;
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let client = acceptor.accept(client).await?;
    let server = connector.connect(ServerName::try_from("localhost")?, server).await?;
    let ((from_client, to_client), (from_server, to_server)) = (tokio::io::split(client), tokio::io::split(server));
    tokio::try_join!(listen(from_client, to_server, heard), listen(from_server, to_client, heard))?;
    Ok(())
}

async fn listen(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, heard: &Heard) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = buffer.get(..count).unwrap_or_default();
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        to.write_all(bytes).await?;
        to.flush().await?;
        if count == 0 {
            return to.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_is_in_the_clear_and_what_is_merely_encoded() {
        let iban = "DE89370400440532013000";
        for before in ["", "x", "xx", "xxx"] {
            let inner = format!("{before}{iban}");
            let (url, standard) =
                (crypto::b64::encode(inner.as_bytes()), crypto::b64::encode_standard(inner.as_bytes()));
            for text in [inner, format!("{{\"a\":\"{url}\"}}"), format!("h..{url}.t"), format!(":{standard}:")] {
                assert!(reads(text.as_bytes(), iban), "{text}");
            }
        }
        assert!(!reads(b"DE89370400440532013001", iban) && !reads(b"", iban));
    }
}

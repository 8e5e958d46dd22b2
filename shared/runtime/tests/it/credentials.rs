//! Handshakes: which key exchange is agreed, and that a renewed certificate is shown without a restart.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, NamedGroup, RootCertStore, ServerConfig, ServerConnection, StreamOwned, version};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::pki::Pki;
use crate::probe::{self, connected};
use crate::telemetry::{INSTALLED, all_lines};

/// Two looks at the files, on a slow machine.
const NOTICED: Duration = Duration::from_secs(15);

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

fn authority(path: &Path) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add(chain(path).remove(0)).unwrap();
    Arc::new(store)
}

/// A stranger's client, which offers these groups and shows this pair.
fn stranger(groups: &[&'static dyn SupportedKxGroup], roots: &Path, shows: (&Path, &Path)) -> ClientConfig {
    let default = rustls::crypto::aws_lc_rs::default_provider();
    ClientConfig::builder_with_provider(Arc::new(CryptoProvider { kx_groups: groups.to_vec(), ..default }))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(authority(roots))
        .with_client_auth_cert(chain(shows.0), PrivateKeyDer::from_pem_file(shows.1).unwrap())
        .unwrap()
}

async fn group(config: &ClientConfig, address: SocketAddr) -> NamedGroup {
    connected(config, address).await.conn.negotiated_key_exchange_group().unwrap().name()
}

async fn shown(config: &ClientConfig, address: SocketAddr) -> CertificateDer<'static> {
    connected(config, address).await.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Our client of public listeners; one that resumes nothing, so that a certificate is shown each time.
fn ours(pki: &Pki) -> ClientConfig {
    let mut config = runtime::tls::public_client(&pki.authority("public")).unwrap();
    config.resumption = rustls::client::Resumption::disabled();
    config
}

#[tokio::test]
async fn our_client_and_our_listener_agree_on_the_post_quantum_hybrid() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    assert_eq!(group(&ours(&pki), running.public.unwrap()).await, NamedGroup::X25519MLKEM768);
}

/// Of what the client offers and has sent no share for, too: the listener asks for it (RFC 8446 §4.1.4).
#[tokio::test]
async fn both_listeners_prefer_the_hybrid_and_serve_who_does_not_know_it() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let (certificate, key) = pki.internal("ledger", &["spiffe://redoubt/ledger"]);
    let rows: [(&[&'static dyn SupportedKxGroup], NamedGroup); 4] = [
        (&[X25519MLKEM768, SECP256R1], NamedGroup::X25519MLKEM768),
        (&[X25519], NamedGroup::X25519),
        (&[SECP256R1], NamedGroup::secp256r1),
        (&[SECP384R1], NamedGroup::secp384r1),
    ];
    for (side, address) in [("public", running.public.unwrap()), ("internal", running.internal)] {
        for (offered, expected) in rows {
            let config = stranger(offered, &pki.authority(side), (&certificate, &key));
            assert_eq!(group(&config, address).await, expected, "{side}");
        }
    }
}

/// A server that is called as `target`; gives the group and the certificate of each call.
fn target(pki: &Pki) -> (String, std::sync::mpsc::Receiver<(NamedGroup, CertificateDer<'static>)>) {
    let (certificate, key) = pki.internal("target", &["spiffe://redoubt/target"]);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = authority(&pki.authority("internal"));
    let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(chain(&certificate), PrivateKeyDer::from_pem_file(&key).unwrap())
        .unwrap();
    let listener = TcpListener::bind(probe::local()).unwrap();
    let url = probe::url(listener.local_addr().unwrap(), "");
    let (sender, calls) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let config = Arc::new(config);
        for socket in listener.incoming() {
            let server = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(server, socket.unwrap());
            let read = stream.read(&mut [0; 4096]).unwrap();
            assert!(read > 0, "a request");
            let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
            let seen = (group, stream.conn.peer_certificates().unwrap()[0].clone().into_owned());
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            if sender.send(seen).is_err() {
                return;
            }
        }
    });
    (url, calls)
}

/// The server here has rustls's own order, in which the hybrid is last: it is our client that insists.
#[tokio::test]
async fn the_internal_client_offers_the_hybrid_first_and_shows_a_renewed_certificate() {
    let pki = Pki::new();
    let (url, calls) = target(&pki);
    let mut config = probe::config(&pki, "probe");
    config.target = Some((url, "target".to_owned()));
    let running = probe::start(config).await;
    let (client, url) = (probe::outside(&pki), probe::url(running.public.unwrap(), "/call"));
    let call = async || {
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        calls.recv_timeout(Duration::from_secs(5)).unwrap()
    };
    let (group, old) = call().await;
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    let (certificate, _) = pki.internal("probe", &["spiffe://redoubt/probe"]);
    let begin = Instant::now();
    let new = loop {
        let (_, certificate) = call().await;
        if certificate != old {
            break certificate;
        }
        assert!(begin.elapsed() < NOTICED, "the client shows the old certificate");
        sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(new, chain(&certificate)[0]);
}

async fn until_shown(config: &ClientConfig, address: SocketAddr, certificate: &Path) {
    let (expected, begin) = (chain(certificate).remove(0), Instant::now());
    while shown(config, address).await != expected {
        assert!(begin.elapsed() < NOTICED, "{address} shows the old certificate");
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_the_old_ones_go_on() {
    let pki = Pki::new();
    let config = probe::config(&pki, "probe");
    let running = probe::start(config.clone()).await;
    let (certificate, key) = pki.internal("ledger", &["spiffe://redoubt/ledger"]);
    let inside = stranger(&[X25519], &pki.authority("internal"), (&certificate, &key));
    let files = config.common.public.unwrap().certificate;
    let cases = [
        (ours(&pki), running.public.unwrap(), files, "/notes/1"),
        (inside, running.internal, config.common.internal.certificate, "/whoami"),
    ];
    let mut before = Vec::new();
    for (config, address, files, _) in &cases {
        before.push(connected(config, *address).await);
        assert_eq!(before.last().unwrap().conn.peer_certificates().unwrap()[0], chain(files)[0]);
    }
    pki.public();
    pki.internal("probe", &["spiffe://redoubt/probe"]);
    for ((config, address, files, path), mut old) in cases.iter().zip(before) {
        assert_ne!(old.conn.peer_certificates().unwrap()[0], chain(files)[0]);
        until_shown(config, *address, files).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = spawn_blocking(move || {
            old.write_all(request.as_bytes()).unwrap();
            let mut answer = [0; 4096];
            let read = old.read(&mut answer).unwrap();
            String::from_utf8_lossy(&answer[..read]).into_owned()
        });
        let answer = answer.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// The errors about this certificate: their causes.
fn complaints(certificate: &Path) -> Vec<String> {
    let about = certificate.display().to_string();
    all_lines()
        .into_iter()
        .filter(|line| line["level"] == "ERROR" && line["certificate"] == about.as_str())
        .map(|line| line["cause"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn files_that_are_no_pair_change_nothing_and_are_told_once() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let config = probe::config(&pki, "probe");
        let running = probe::start(config.clone()).await;
        let (client, address) = (ours(&pki), running.public.unwrap());
        let files = config.common.public.unwrap();
        let before = shown(&client, address).await;
        let foreign = std::fs::read(pki.internal("other", &[]).1).unwrap();
        let private = |path: &PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let rows: [(&str, &dyn Fn()); 5] = [
            ("keys may not be consistent: KeyMismatch", &|| std::fs::write(&files.key, &foreign).unwrap()),
            ("is not a PEM key", &|| std::fs::write(&files.key, "garbage").unwrap()),
            ("others can reach it", &|| private(&files.key, 0o644)),
            ("has no certificate", &|| std::fs::write(&files.certificate, "garbage").unwrap()),
            ("cannot be read", &|| std::fs::remove_file(&files.certificate).unwrap()),
        ];
        for (number, (cause, broken)) in rows.into_iter().enumerate() {
            if number == 3 {
                private(&files.key, 0o600);
            }
            let known = complaints(&files.certificate).len();
            broken();
            let begin = Instant::now();
            while !complaints(&files.certificate).iter().skip(known).any(|told| told.contains(cause)) {
                let told = complaints(&files.certificate);
                assert!(begin.elapsed() < NOTICED, "{cause}: {told:?}");
                sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(shown(&client, address).await, before, "{cause}");
        }
        let told = complaints(&files.certificate);
        sleep(Duration::from_secs(5)).await;
        assert_eq!(complaints(&files.certificate), told, "the same content is told once");
        pki.public();
        until_shown(&client, address, &files.certificate).await;
    });
}

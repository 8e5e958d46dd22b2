//! TLS: who gets in, who is believed to be whom.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::pki::Pki;
use crate::probe;

#[tokio::test]
async fn the_public_listener_speaks_tls_1_3_and_not_1_2() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let address = running.public.unwrap();
    let answer = probe::outside(&pki).get(probe::url(address, "/notes/1")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));
    let alert = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(&client_hello_of_tls_1_2()).unwrap();
        let mut alert = Vec::new();
        socket.read_to_end(&mut alert).unwrap();
        alert
    });
    // RFC 8446 §6: record type alert (21), fatal (2), protocol_version (70).
    let alert = alert.await.unwrap();
    assert_eq!((alert[0], &alert[5..]), (21, &[2, 70][..]), "{alert:?}");
}

/// A `ClientHello` that offers TLS 1.2 only: no `supported_versions` (RFC 5246 §7.4.1.2).
fn client_hello_of_tls_1_2() -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0, 23][..], // supported_groups: secp256r1
        &[0, 13, 0, 4, 0, 2, 4, 3],      // signature_algorithms: ecdsa_secp256r1_sha256
        &[0, 11, 0, 2, 1, 0],            // ec_point_formats: uncompressed
        &[0, 23, 0, 0],                  // extended_master_secret
    ]
    .concat();
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x2f]); // ECDHE with AES-128-GCM
    body.extend([1, 0]);
    body.extend(length(&extensions));
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(length(&body));
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(length(&handshake));
    record.extend(handshake);
    record
}

#[tokio::test]
async fn a_client_that_does_not_trust_our_authority_does_not_talk_to_us() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let other = Pki::new();
    assert!(probe::outside(&other).get(probe::url(running.public.unwrap(), "/notes/1")).send().await.is_err());
}

#[tokio::test]
async fn the_internal_listener_knows_its_caller_by_certificate() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let ledger = probe::inside(&pki, pki.internal("ledger", &["spiffe://redoubt/ledger"]), "probe");
    let answer = ledger.get(probe::url(running.internal, "/whoami")).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "spiffe://redoubt/ledger");
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(ledger.get(probe::url(running.internal, path)).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn the_internal_listener_refuses_callers_without_a_certificate_or_with_a_foreign_one() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let url = probe::url(running.internal, "/health/live");
    let stranger = probe::outside(&pki);
    assert!(stranger.get(&url).send().await.is_err());
    // Trusts our server, but has nothing to show.
    let mut tls = runtime::tls::public_client(&pki.authority("internal")).unwrap();
    tls.enable_sni = false;
    #[expect(clippy::disallowed_methods, reason = "a stranger's client")]
    let nobody = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
    assert!(nobody.get(&url).send().await.is_err());
    let foreign = probe::inside(&pki, pki.foreign("foreign", &["spiffe://redoubt/ledger"]), "probe");
    assert!(foreign.get(&url).send().await.is_err());
}

#[tokio::test]
async fn a_certificate_that_names_no_single_workload_of_ours_gets_nowhere() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    for (n, uris) in [
        &[][..],
        &["https://redoubt/ledger"],
        &["spiffe://elsewhere/ledger"],
        &["spiffe://redoubt/"],
        &["spiffe://redoubt/ledger/admin"],
        &["spiffe://redoubt/Ledger"],
        &["spiffe://redoubt/ledger", "spiffe://redoubt/operator"],
    ]
    .iter()
    .enumerate()
    {
        let client = probe::inside(&pki, pki.internal(&format!("odd-{n}"), uris), "probe");
        let answer = client.get(probe::url(running.internal, "/health/live")).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{uris:?}");
    }
}

#[tokio::test]
async fn an_internal_client_talks_to_the_workload_it_was_made_for_and_to_no_other() {
    let pki = Pki::new();
    let running = probe::start(probe::config(&pki, "probe")).await;
    let url = probe::url(running.internal, "/whoami");
    let ledger = pki.internal("ledger", &["spiffe://redoubt/ledger"]);
    let error = probe::inside(&pki, ledger.clone(), "attestation").get(&url).send().await.unwrap_err();
    let cause = runtime::http::cause(&error);
    assert!(cause.contains("spiffe://redoubt/probe, not spiffe://redoubt/attestation"), "{cause}");
    // The right name under the wrong authority: the public listener's certificate is not enough either.
    let public = probe::url(running.public.unwrap(), "/notes/1");
    assert!(probe::inside(&pki, ledger, "probe").get(public).send().await.is_err());
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused_with_the_fix() {
    use std::os::unix::fs::PermissionsExt as _;
    let pki = Pki::new();
    let config = probe::config(&pki, "probe");
    std::fs::set_permissions(&config.common.internal.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let started = runtime::start::<probe::Probe>(config, std::sync::Arc::new(runtime::SystemClock)).await;
    let message = format!("{:#}", started.err().unwrap());
    assert!(message.contains("chmod 600"), "{message}");
}

/// Silent connections fill the listener; the next caller waits until they are let go, and is served.
#[tokio::test]
async fn more_connections_than_are_taken_at_a_time_wait_for_one_to_end() {
    let pki = Pki::new();
    let mut config = probe::config(&pki, "probe");
    (config.common.workers, config.common.connections) = (Some(1), 4);
    let running = probe::start(config).await;
    let address = running.public.unwrap();
    let silent: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    let client = probe::outside(&pki);
    let get = || client.get(probe::url(address, "/notes/1")).send();
    let early = tokio::time::timeout(std::time::Duration::from_secs(1), get()).await;
    assert!(early.is_err(), "the listener takes more than it should");
    let later = tokio::time::timeout(std::time::Duration::from_secs(10), get()).await;
    assert_eq!(later.expect("nobody was let go").unwrap().status(), 200);
    drop(silent);
}

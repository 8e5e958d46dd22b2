//! The last request of a connection.

use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use crate::pki::Pki;
use crate::probe;
use crate::telemetry::INSTALLED;

/// In pieces, and more than the framework keeps before somebody reads.
#[test]
fn the_body_of_the_last_request_comes_whole_however_late_it_is_read() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        for last in ["HTTP/1.1\r\nHost: localhost\r\nConnection: close", "HTTP/1.0\r\nHost: localhost"] {
            let head = format!("POST /late {last}\r\nContent-Length: 90000\r\n\r\n");
            let answer = said_in_pieces(&pki, running.public.unwrap(), &head, 10, 9_000).await;
            assert!(answer.starts_with("HTTP/1.") && answer.ends_with("90000 bytes"), "{answer}");
        }
    });
}

/// All that is answered to a head and so many pieces of a body, each of so many bytes.
async fn said_in_pieces(pki: &Pki, address: SocketAddr, head: &str, pieces: usize, length: usize) -> String {
    let config = runtime::tls::public_client(&pki.authority("public")).unwrap();
    let mut stream = probe::connected(&config, address).await;
    let head = head.to_owned();
    let said = tokio::task::spawn_blocking(move || {
        stream.sock.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..pieces {
            stream.write_all(&vec![b'x'; length]).unwrap();
            std::thread::yield_now();
        }
        let mut answer = Vec::new();
        // How it ends is not looked at here.
        while let Ok(1..) = Read::by_ref(&mut stream).take(4096).read_to_end(&mut answer) {}
        String::from_utf8(answer).unwrap()
    });
    said.await.unwrap()
}

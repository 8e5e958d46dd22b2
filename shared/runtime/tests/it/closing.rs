//! The last request of a connection.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
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
            let stranger = Slow { head, piece: 9_000, pieces: 10 };
            let answer = stranger.says(&pki, running.public.unwrap()).await;
            assert!(answer.starts_with("HTTP/1.") && answer.ends_with("90000 bytes"), "{answer}");
        }
    });
}

/// Whose body comes in pieces.
struct Slow {
    head: String,
    piece: usize,
    pieces: usize,
}

impl Slow {
    /// All that is answered, to the end of the connection.
    async fn says(self, pki: &Pki, address: SocketAddr) -> String {
        let config = std::sync::Arc::new(runtime::tls::public_client(&pki.authority("public")).unwrap());
        let spoken = tokio::task::spawn_blocking(move || {
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            let socket = TcpStream::connect(address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
            let client = rustls::ClientConnection::new(config, name).unwrap();
            let mut stream = rustls::StreamOwned::new(client, socket);
            stream.write_all(self.head.as_bytes()).unwrap();
            for _ in 0..self.pieces {
                stream.write_all(&vec![b'x'; self.piece]).unwrap();
                std::thread::yield_now();
            }
            let mut heard = Vec::new();
            // How it ends is not looked at here.
            while let Ok(1..) = Read::by_ref(&mut stream).take(4096).read_to_end(&mut heard) {}
            String::from_utf8(heard).unwrap()
        });
        spoken.await.unwrap()
    }
}

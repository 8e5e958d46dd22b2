//! What the audit log tells of a connection: from where, by what program, and what never became a request.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::pki::Pki;
use crate::probe;
use crate::telemetry::{INSTALLED, all_lines};

/// What is said, one after the other.
type Words = &'static [&'static [u8]];

/// A connection of our own, under TLS or not, on which we say whatever we like.
struct Stranger {
    port: u16,
    heard: Vec<u8>,
}

impl Stranger {
    async fn says(pki: &Pki, address: SocketAddr, tls: bool, words: Words) -> Self {
        let config = std::sync::Arc::new(runtime::tls::public_client(&pki.authority("public")).unwrap());
        let spoken = tokio::task::spawn_blocking(move || {
            let socket = TcpStream::connect(address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
            let port = socket.local_addr().unwrap().port();
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            let mut heard = Vec::new();
            if tls {
                let client = rustls::ClientConnection::new(config, name).unwrap();
                converse(&mut rustls::StreamOwned::new(client, socket), words, &mut heard);
            } else {
                converse(&mut &socket, words, &mut heard);
            }
            Self { port, heard }
        });
        spoken.await.unwrap()
    }

    /// The audit lines about it, once there is one or after a while.
    async fn lines(&self) -> Vec<Value> {
        let ours = |line: &Value| line["target"] == "audit" && line["network.peer.port"] == self.port;
        for _ in 0..10 {
            let found: Vec<Value> = all_lines().into_iter().filter(ours).collect();
            if !found.is_empty() {
                // There may be a second one, which there must not.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return all_lines().into_iter().filter(ours).collect();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Vec::new()
    }

    async fn refusals(&self) -> Vec<String> {
        let lines = self.lines().await;
        assert!(lines.iter().all(|line| line["event"] == "refused" && line["network.peer.address"] == "127.0.0.1"));
        lines
            .iter()
            .map(|line| format!("{}/{}", line["layer"].as_str().unwrap(), line["reason"].as_str().unwrap()))
            .collect()
    }
}

/// Says one thing, hears the answer, says the next, until the other side is gone or there is nothing left to say.
fn converse(stream: &mut (impl std::io::Read + std::io::Write), words: &[&[u8]], heard: &mut Vec<u8>) {
    for word in words {
        if stream.write_all(word).and_then(|()| stream.flush()).is_err() {
            return;
        }
        let mut buffer = [0; 16384];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn what_never_becomes_a_request_is_one_line_in_the_audit_log() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let public = running.public.unwrap();
        let good: &[u8] = b"GET /notes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let long: &'static [u8] = Box::leak(format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 18)).into_bytes().into());
        let cases: [(&str, bool, Words, &str, &str); 6] = [
            ("no HTTP", true, &[b"GARBAGE\r\n\r\n"], "transport/http_malformed", "400"),
            ("an odd header", true, &[b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n"], "transport/http_malformed", "400"),
            (
                "after a good one",
                true,
                Box::leak(Box::new([good, b"\x16\x03\x01 \r\n\r\n"])),
                "transport/http_malformed",
                "400",
            ),
            (
                "two in a row",
                true,
                &[b"GARBAGE\r\n\r\nGARBAGE\r\n\r\n", b"GARBAGE\r\n\r\n"],
                "transport/http_malformed",
                "400",
            ),
            ("no end", true, Box::leak(Box::new([long])), "transport/head_too_large", "431"),
            ("no TLS", false, &[b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"], "transport/tls_handshake", ""),
        ];
        for (what, tls, words, expected, status) in cases {
            let stranger = Stranger::says(&pki, public, tls, words).await;
            assert_eq!(stranger.refusals().await, [expected], "{what}");
            let heard = String::from_utf8_lossy(&stranger.heard).into_owned();
            assert!(heard.contains(&format!("HTTP/1.1 {status}")) || status.is_empty(), "{what}: {heard}");
        }
    });
}

#[test]
fn a_connection_that_says_nothing_or_breaks_off_is_nobodys_fault() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let cases: [(bool, Words); 3] =
            [(false, &[]), (true, &[]), (true, &[b"GET /notes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"])];
        for (tls, words) in cases {
            let stranger = Stranger::says(&pki, running.public.unwrap(), tls, words).await;
            assert_eq!(stranger.lines().await, Vec::<Value>::new(), "{tls} {words:?}");
        }
    });
}

#[test]
fn what_never_becomes_a_request_is_counted() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        Stranger::says(&pki, running.public.unwrap(), true, &[b"GARBAGE\r\n\r\n"]).await;
        assert!(INSTALLED.receiver.decisions("transport", "refuse").await > 0);
    });
}

#[test]
fn every_audit_line_says_from_where_and_by_what_program() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let client = probe::outside(&pki);
        let long = format!("x{}", "\u{e4}".repeat(400));
        let huge = "y".repeat(40_000);
        for (agent, shown) in [
            (None, String::new()),
            (Some("probe/1.0 (a \"quote\")"), "probe/1.0 (a \\\"quote\\\")".to_owned()),
            (Some("tab\there"), "tab\\there".to_owned()),
            (Some(long.as_str()), format!("x{}", "\\xc3\\xa4".repeat(32)).chars().take(256).collect()),
        ] {
            // A line that a handler writes, and one that is written before any handler is reached.
            for (path, filler) in [("/secret", ""), ("/notes/1", huge.as_str())] {
                let mut request = client.get(probe::url(running.public.unwrap(), path)).header("x-filler", filler);
                if let Some(agent) = agent {
                    let value = reqwest::header::HeaderValue::from_bytes(agent.as_bytes()).unwrap();
                    request = request.header("user-agent", value);
                }
                let answer = request.send().await.unwrap();
                let id = answer.headers()["request-id"].to_str().unwrap().to_owned();
                let lines: Vec<Value> =
                    all_lines().into_iter().filter(|line| line["request_id"] == id.as_str()).collect();
                let audited: Vec<&Value> = lines.iter().filter(|line| line["target"] == "audit").collect();
                assert_eq!(audited.len(), 1, "{lines:?}");
                assert_eq!(audited[0]["network.peer.address"], "127.0.0.1");
                assert!(audited[0]["network.peer.port"].as_u64().unwrap() > 0);
                assert_eq!(audited[0]["user_agent.original"], shown.as_str());
                let others = lines.iter().filter(|line| line["target"] != "audit");
                assert!(
                    others.clone().count() > 0
                        && others.into_iter().all(|line| line.get("network.peer.address").is_none())
                );
            }
        }
    });
}

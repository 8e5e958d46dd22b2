//! What the audit log tells of a connection: from where, by what program, and what never became a request.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::RwLock;
use tokio::time::Instant;

use crate::pki::Pki;
use crate::probe;
use crate::telemetry::{INSTALLED, all_lines};

/// Lines are told apart by the stranger's port, which another connection may have at the same time, to another listener. A flood is so many
/// that it has them all to itself.
static PORTS: RwLock<()> = RwLock::const_new(());

/// What is said, one after the other.
type Words = &'static [&'static [u8]];

/// A connection of our own, under TLS or not, on which we say whatever we like.
struct Stranger {
    port: u16,
    heard: Vec<u8>,
    /// So many lines there were before it came.
    before: usize,
    /// How long it was connected.
    stayed: Duration,
}

impl Stranger {
    async fn says(pki: &Pki, address: SocketAddr, tls: bool, words: Words) -> Self {
        let config = std::sync::Arc::new(runtime::tls::public_client(&pki.authority("public")).unwrap());
        let spoken = tokio::task::spawn_blocking(move || {
            let before = all_lines().len();
            let socket = TcpStream::connect(address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
            let port = socket.local_addr().unwrap().port();
            let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
            let (begin, mut heard) = (Instant::now(), Vec::new());
            if tls {
                let client = rustls::ClientConnection::new(config, name).unwrap();
                converse(&mut rustls::StreamOwned::new(client, socket), words, &mut heard);
            } else {
                converse(&mut &socket, words, &mut heard);
            }
            Self { port, heard, before, stayed: begin.elapsed() }
        });
        spoken.await.unwrap()
    }

    /// The audit lines about it, once there is one or after a while.
    async fn lines(&self) -> Vec<Value> {
        let ours = |line: &Value| line["target"] == "audit" && line["network.peer.port"] == self.port;
        for _ in 0..10 {
            let found: Vec<Value> = all_lines().into_iter().skip(self.before).filter(ours).collect();
            if !found.is_empty() {
                // There may be a second one, which there must not.
                tokio::time::sleep(Duration::from_millis(300)).await;
                return all_lines().into_iter().skip(self.before).filter(ours).collect();
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

/// Says one thing (or nothing), hears the answer, says the next, until the other side is gone or there is nothing left to say.
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

const GOOD: &[u8] = b"GET /notes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What is wrong, under TLS or not, in what words; its line in the audit log, and its answer.
type Case = (&'static str, bool, Words, &'static str, &'static str);

const MALFORMED: &str = "transport/http_malformed";
const CASES: [Case; 10] = [
    ("a fragment", true, &[b"GET /notes/1#x HTTP/1.1\r\nHost: localhost\r\n\r\n"], MALFORMED, "400"),
    ("no HTTP", true, &[b"GARBAGE\r\n\r\n"], MALFORMED, "400"),
    ("an odd header", true, &[b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n"], MALFORMED, "400"),
    ("after a good one", true, &[GOOD, b"\x16\x03\x01 \r\n\r\n"], MALFORMED, "400"),
    ("two in a row", true, &[b"GARBAGE\r\n\r\nGARBAGE\r\n\r\n", b"GARBAGE\r\n\r\n"], MALFORMED, "400"),
    ("LF alone", true, &[b"GET /notes/1 HTTP/1.1\nHost: localhost\n\n"], MALFORMED, "400"),
    ("LF alone at the end", true, &[b"GET /notes/1 HTTP/1.1\r\nHost: localhost\r\n\n"], MALFORMED, "400"),
    (
        "LF alone after a good one",
        true,
        &[GOOD, b"GET /notes/1 HTTP/1.1\r\nHost: localhost\n\r\n"],
        MALFORMED,
        "400",
    ),
    (
        "LF alone in a trailer",
        true,
        &[b"POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
            1a\r\n{\n\"text\":\"x\",\n\n\"number\":1}\r\n0\r\nX: a\nY: b\r\n\r\nGET /notes/1 HTTP/1.1\nHost: localhost\n\n"],
        "request/body_broken_off",
        "400",
    ),
    ("no TLS", false, &[GOOD], "transport/tls_handshake", ""),
];

#[test]
fn what_never_becomes_a_request_is_one_line_in_the_audit_log() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let _ports = PORTS.read().await;
        let leaked = |text: String| -> Words { Box::leak(Box::new([text.leak().as_bytes()])) };
        let path = leaked(format!("GET /{} HTTP/1.1\r\n", "x".repeat(1 << 18)));
        let name = leaked(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}: x\r\n\r\n", "x".repeat(1 << 16)));
        let extension = leaked(format!(
            "POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1;{}\r\n",
            "x".repeat(9000)
        ));
        let long: [Case; 3] = [
            ("a long extension", true, extension, "request/body_broken_off", "400"),
            ("no end", true, path, "transport/head_too_large", "431"),
            ("a name of 64 KiB", true, name, MALFORMED, "400"),
        ];
        for (what, tls, words, expected, status) in CASES.into_iter().chain(long) {
            let stranger = Stranger::says(&pki, running.public.unwrap(), tls, words).await;
            assert_eq!(stranger.refusals().await, [expected], "{what}");
            let heard = String::from_utf8_lossy(&stranger.heard).into_owned();
            assert!(heard.contains(&format!("HTTP/1.1 {status}")) || status.is_empty(), "{what}: {heard}");
            let answers = heard.matches("HTTP/1.1 ").count();
            assert_eq!(
                answers,
                words.len() - usize::from(what == "two in a row") - usize::from(!tls),
                "{what}: {heard}"
            );
        }
    });
}

#[test]
fn a_connection_that_says_nothing_or_breaks_off_is_nobodys_fault() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let _ports = PORTS.read().await;
        let cases: [(bool, Words, f64, &str); 4] = [
            // Until the handshake is given up; of the second one, half a handshake has come.
            (false, &[b""], 3.0, ""),
            (false, &[b"\x16\x03\x01\x02\x00\x01"], 3.0, ""),
            // Until the head is.
            (true, &[b""], 5.0, "HTTP/1.1 408 "),
            // And this one breaks off.
            (true, &[GOOD], 0.0, "HTTP/1.1 200 "),
        ];
        let strangers = cases.map(|(tls, words, _, _)| Stranger::says(&pki, running.public.unwrap(), tls, words));
        for (stranger, (tls, words, seconds, answer)) in join_all(strangers).await.into_iter().zip(cases) {
            assert_eq!(stranger.lines().await, Vec::<Value>::new(), "{tls} {words:?}");
            let heard = String::from_utf8_lossy(&stranger.heard);
            assert!(heard.starts_with(answer) && heard.is_empty() == answer.is_empty(), "{tls} {words:?}: {heard}");
            // It was shown out, and did not tire of waiting itself.
            let stayed = stranger.stayed.as_secs_f64();
            assert!((seconds - 0.1..8.0).contains(&stayed), "{tls} {words:?}: {stayed}");
        }
    });
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_given_up_the_first_one_and_every_later_one() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let _ports = PORTS.read().await;
        let post: &[u8] = b"POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
            Content-Length: 26\r\n\r\n{\n\"text\":\"x\",\n\n\"number\":1}";
        let cases: [(Words, &str); 3] = [
            (&[b"GET /notes/1 HTTP/1.1\r\nHost: loc"], "HTTP/1.1 408 "),
            (
                Box::leak(Box::new([b"GET /notes/1 HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice(), b"G"])),
                "HTTP/1.1 200 ",
            ),
            (Box::leak(Box::new([post, b"GET /notes/1 HTTP/1.1\r\nHost: localhost\r\n\r"])), "HTTP/1.1 2"),
        ];
        let strangers = cases.map(|(words, _)| Stranger::says(&pki, running.public.unwrap(), true, words));
        for (stranger, (words, answer)) in join_all(strangers).await.into_iter().zip(cases) {
            assert_eq!(stranger.refusals().await, ["transport/head_too_slow"], "{words:?}");
            let heard = String::from_utf8_lossy(&stranger.heard);
            assert!(heard.starts_with(answer) && heard.matches("HTTP/1.1 ").count() == 1, "{words:?}: {heard}");
            let stayed = stranger.stayed.as_secs_f64();
            assert!((4.9..8.0).contains(&stayed), "{words:?}: {stayed}");
        }
    });
}

/// Half a head behind three requests that take two seconds each.
#[test]
fn what_was_asked_before_a_head_that_is_given_up_is_answered() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let _ports = PORTS.read().await;
        let asked = ["GET /stuck HTTP/1.1\r\nHost: localhost\r\n\r\n"; 3].concat() + "G";
        let words: Words = Box::leak(Box::new([asked.leak().as_bytes(), b"", b""]));
        let stranger = Stranger::says(&pki, running.public.unwrap(), true, words).await;
        let heard = String::from_utf8_lossy(&stranger.heard).into_owned();
        assert_eq!(heard.matches("HTTP/1.1 503 ").count(), 3, "{heard}");
        assert_eq!(stranger.refusals().await, ["transport/head_too_slow"]);
        assert!(stranger.stayed.as_secs_f64() > 5.5, "{:?}", stranger.stayed);
    });
}

/// RFC 9112 §9.6: whoever says that a request is the last one has no other done.
#[test]
fn nothing_that_comes_behind_the_last_request_is_done() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let _ports = PORTS.read().await;
        let asked = |close: &str| {
            let one = |n, field: &str| format!("GET /notes/{n} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n");
            one(1, "") + &one(2, close) + &one(3, "") + "GARBAGE\r\n\r\n"
        };
        let end: &[u8] = b"";
        let old = |asked: String| asked.replace("notes/2 HTTP/1.1", "notes/2 HTTP/1.0");
        let (plain, close) = (asked(""), asked("Connection: close\r\n"));
        for (asked, answers) in
            [(plain.clone(), 4), (close, 2), (old(plain), 2), (old(asked("Connection: keep-alive\r\n")), 4)]
        {
            let words: Words = Box::leak(Box::new([asked.leak().as_bytes(), end, end, end]));
            let stranger = Stranger::says(&pki, running.public.unwrap(), true, words).await;
            let heard = String::from_utf8_lossy(&stranger.heard).into_owned();
            assert_eq!(heard.matches("HTTP/1.").count(), answers, "{heard}");
        }
    });
}

/// As scanners do: a word that is no HTTP, and gone before its answer. However that ends, it was not slow.
#[test]
fn who_speaks_no_http_and_goes_before_the_answer_is_not_slow() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let _ports = PORTS.read().await;
        let (public, before) = (running.public.unwrap(), all_lines().len());
        let config = std::sync::Arc::new(runtime::tls::public_client(&pki.authority("public")).unwrap());
        let rush = move || -> Vec<Value> {
            let rush = |_| {
                let socket = TcpStream::connect(public).unwrap();
                let port = socket.local_addr().unwrap().port();
                let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
                let client = rustls::ClientConnection::new(std::sync::Arc::clone(&config), name).unwrap();
                let mut stream = rustls::StreamOwned::new(client, socket);
                std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nno colon\r\n").unwrap();
                port.into()
            };
            (0..60).map(rush).collect()
        };
        let ports = tokio::task::spawn_blocking(rush).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        let ours = |line: &Value| line["target"] == "audit" && ports.contains(&line["network.peer.port"]);
        let reasons: Vec<Value> =
            all_lines().into_iter().skip(before).filter(ours).map(|line| line["reason"].clone()).collect();
        // Some have no line at all: they broke off.
        assert!(reasons.iter().all(|reason| reason == "http_malformed"), "{reasons:?}");
    });
}

#[test]
fn whatever_never_becomes_a_request_is_counted_but_a_flood_of_it_does_not_fill_the_log() {
    INSTALLED.runtime.block_on(async {
        let pki = Pki::new();
        let running = probe::start(probe::config(&pki, "probe")).await;
        let alone = PORTS.write().await;
        // The other tests here refuse some, too, but by far not so many.
        let flood = 120;
        let before = INSTALLED.receiver.decisions("transport", "refuse");
        let (begin, already) = (Instant::now(), all_lines().len());
        let says = || Stranger::says(&pki, running.public.unwrap(), false, &[b"GARBAGE\r\n\r\n"]);
        let mut strangers = join_all((0..flood).map(|_| says())).await;
        let seconds = begin.elapsed().as_secs();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        strangers.push(says().await);
        let last = strangers.last().unwrap().lines().await;
        assert_eq!(last.len(), 1, "{last:?}");
        assert_eq!(last[0]["redoubt.listener"], "public", "{last:?}");

        let ports: Vec<Value> = strangers.iter().map(|stranger| stranger.port.into()).collect();
        let ours = |line: &Value| line["target"] == "audit" && ports.contains(&line["network.peer.port"]);
        let lines: Vec<Value> = all_lines().into_iter().skip(already).filter(ours).collect();
        let suppressed: u64 = lines.iter().filter_map(|line| line["suppressed"].as_u64()).sum();
        assert_eq!(lines.len() as u64 + suppressed, flood + 1, "each has its line or is in the count of one");
        assert!(lines.len() as u64 <= 20 * (seconds + 2) + 1, "{} lines in {seconds} s", lines.len());

        drop(alone);
        let counted = INSTALLED.receiver.decisions_reach("transport", "refuse", before + flood + 1).await;
        assert!(counted > before + flood, "{before} before, {counted} after");
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

//! Requests that no library sends: heads and bodies that two readers may take for different ones (RFC 9112 §11.2, §6.3), targets that hide another
//! one, and heads without end. Each asks for a path that is not there. A server that takes the request for what its sender wants answers that
//! it is not there; one that refuses it says so, or hangs up.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::drip::{Target, connect, listen, status};

/// What is asked for behind a trick: whoever answers it has read a second request in the first.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// A server that neither answers nor hangs up has this long.
const SILENCE: Duration = Duration::from_secs(8);

/// A trick by name: the bytes that are sent.
#[derive(Debug, Clone)]
pub struct Trick {
    /// What is wrong with it.
    pub name: &'static str,
    /// All that is sent.
    pub bytes: Vec<u8>,
    /// It is in the body: whoever does not read that may answer what the head asks for, once.
    in_body: bool,
}

/// What a listener made of a trick.
#[derive(Debug, Clone)]
pub struct Heard {
    /// `public` or `internal`.
    pub listener: &'static str,
    /// Which trick.
    pub trick: &'static str,
    /// The status of each answer; none, if it only hung up.
    pub statuses: Vec<u16>,
    in_body: bool,
}

impl Heard {
    /// Whether the request got no further than the layers: refused, or not answered at all, and nothing behind it was read.
    pub fn is_refused(&self) -> bool {
        let refused = |status: &u16| (400..=599).contains(status) && ![404, 405, 500].contains(status);
        self.statuses.len() <= 1 && (self.in_body || self.statuses.iter().all(refused))
    }
}

/// The honest twin: the same request without a trick.
pub fn honest() -> Trick {
    let bytes = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec();
    Trick { name: "none", bytes, in_body: false }
}

/// All tricks.
pub fn tricks() -> Vec<Trick> {
    let mut all = Vec::new();
    for (name, fields, body) in FRAMINGS {
        let text = format!("POST /nothing HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{body}{SMUGGLED}");
        all.push(Trick { name, bytes: text.into_bytes(), in_body: fields == CHUNKED });
    }
    let mut add = |name, bytes: Vec<u8>| all.push(Trick { name, bytes, in_body: false });
    for (name, head) in HEADS {
        add(name, head.as_bytes().to_vec());
    }
    for target in TARGETS {
        add(target, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes());
    }
    let start = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n";
    add("a field of 40 KiB", format!("{start}X: {}\r\n\r\n", "x".repeat(40 * 1024)).into_bytes());
    add("fields of 40 KiB", format!("{start}{}\r\n", "X: 0123456789abcdef\r\n".repeat(2_000)).into_bytes());
    add("200 fields", format!("{start}{}\r\n", "X: y\r\n".repeat(200)).into_bytes());
    add(
        "a target of 40 KiB",
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(40 * 1024)).into_bytes(),
    );
    all
}

const CHUNKED: &str = "Transfer-Encoding: chunked";

/// Where a body ends, told in a way that another reader may understand differently: name, fields, body.
const FRAMINGS: [(&str, &str, &str); 21] = [
    ("length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
    ("a blank before the colon", "Transfer-Encoding : chunked", "0\r\n\r\n"),
    ("an unknown coding", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
    ("chunks not last", "Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
    ("two codings in two fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
    ("a quoted coding", "Transfer-Encoding: \"chunked\"", "0\r\n\r\n"),
    ("a vertical tab before the coding", "Transfer-Encoding: \u{b}chunked", "0\r\n\r\n"),
    ("two lengths", "Content-Length: 0\r\nContent-Length: 5", "12345"),
    ("one length twice", "Content-Length: 5\r\nContent-Length: 5", "12345"),
    ("a list of lengths", "Content-Length: 5, 5", "12345"),
    ("a length with a sign", "Content-Length: +5", "12345"),
    ("a negative length", "Content-Length: -5", "12345"),
    ("a hexadecimal length", "Content-Length: 0x5", "12345"),
    ("a length beyond any", "Content-Length: 99999999999999999999", "12345"),
    ("a length on two lines", "Content-Length:\r\n 5", "12345"),
    ("a chunk with a prefix", CHUNKED, "0x5\r\n12345\r\n0\r\n\r\n"),
    ("a negative chunk", CHUNKED, "-5\r\n12345\r\n0\r\n\r\n"),
    ("a chunk beyond any", CHUNKED, "FFFFFFFFFFFFFFFFF\r\n12345\r\n0\r\n\r\n"),
    ("a chunk longer than it says", CHUNKED, "3\r\n12345\r\n0\r\n\r\n"),
    ("a chunk's line ends with LF", CHUNKED, "5\n12345\r\n0\r\n\r\n"),
];

/// Heads that are none, or two.
const HEADS: [(&str, &str); 28] = [
    (
        "a compressed body",
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345",
    ),
    ("lines that end with LF", "GET /nothing HTTP/1.1\nHost: localhost\n\n"),
    ("a line that ends with CR", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX: a\rY: b\r\n\r\n"),
    ("a folded field", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n"),
    ("a NUL in a field", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n"),
    ("a blank in a name", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX Y: a\r\n\r\n"),
    ("a blank before a name", "GET /nothing HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    ("a name that is empty", "GET /nothing HTTP/1.1\r\nHost: localhost\r\n: a\r\n\r\n"),
    ("a field without a colon", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n"),
    ("no host", "GET /nothing HTTP/1.1\r\n\r\n"),
    ("an empty host", "GET /nothing HTTP/1.1\r\nHost:\r\n\r\n"),
    ("two hosts", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"),
    ("one host twice", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
    ("another host", "GET /nothing HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    ("a user in the host", "GET /nothing HTTP/1.1\r\nHost: localhost@evil.example\r\n\r\n"),
    ("a host with another behind it", "GET /nothing HTTP/1.1\r\nHost: localhost evil.example\r\n\r\n"),
    ("another host in the target", "GET https://evil.example/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a target with a user", "GET https://localhost@evil.example/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a target without a path", "GET ? HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a blank in the target", "GET /no thing HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("HTTP/0.9", "GET /nothing\r\n\r\n"),
    ("HTTP/2.0 in words", "GET /nothing HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    ("a version that is none", "GET /nothing HTTP/1.1.1\r\nHost: localhost\r\n\r\n"),
    ("a tunnel", "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a method with a blank", "GE T /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a body where none is expected", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345"),
    (
        "chunks where none are expected",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("two programs", "GET /nothing HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\r\nUser-Agent: b\r\n\r\n"),
];

/// Targets in which another one hides.
const TARGETS: [&str; 10] = [
    "/nothing/../login",
    "/./nothing",
    "//nothing",
    "/nothing//more",
    "/%2e%2e/login",
    "/nothing%2f..%2flogin",
    "/nothing%00",
    "/%25%32%65",
    "/nothing;jsessionid=1",
    "/nothing\\..\\login",
];

/// Sends each trick to each listener of a service, on a connection of its own.
///
/// # Errors
///
/// A listener cannot be reached, or answers no HTTP.
pub async fn play(tricks: Vec<Trick>, target: &Target<'_>) -> Result<Vec<Heard>> {
    let listeners = target.listeners()?;
    let mut under_way = tokio::task::JoinSet::new();
    for trick in tricks {
        for (listener, address, tls) in &listeners {
            let (listener, address, tls, trick) = (*listener, *address, Arc::clone(tls), trick.clone());
            under_way.spawn_blocking(move || -> Result<Heard> {
                let mut stream = connect(address, tls)?;
                stream.sock.set_read_timeout(Some(SILENCE))?;
                // A server that has seen enough may hang up while we write: what it said is there to read.
                let sent = stream.write_all(&trick.bytes).and_then(|()| stream.flush());
                let mut heard = Vec::new();
                loop {
                    let before = heard.len();
                    let ended = listen(&mut stream, &mut heard);
                    let silent = heard.len() == before;
                    if ended || silent || is_over(&heard) || heard.len() > 1 << 20 {
                        break;
                    }
                }
                ensure!(sent.is_ok() || heard.is_empty() || heard.starts_with(b"HTTP/1."), "{}: no HTTP", trick.name);
                Ok(Heard { listener, trick: trick.name, statuses: statuses(&heard)?, in_body: trick.in_body })
            });
        }
    }
    under_way.join_all().await.into_iter().collect()
}

/// A request whose sender waits to be told before the body is sent (`Expect: 100-continue`).
#[derive(Debug, Clone)]
pub struct Waiter {
    /// Who.
    pub name: &'static str,
    /// The request line and all fields but that one.
    pub head: String,
    /// Sent if it is told to go on.
    pub body: Vec<u8>,
}

/// Waiters whom every listener refuses by what the head shows get the refusal and nothing else: what they were told, where it was something else.
///
/// # Errors
///
/// As [`wait`].
pub async fn let_wait(target: &Target<'_>) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (waiter, status) in refused_waiters() {
        for (listener, told) in wait(&waiter, target).await? {
            if told != [status] {
                wrong.push(format!("{} at {listener}: {told:?}", waiter.name));
            }
        }
    }
    Ok(wrong)
}

fn refused_waiters() -> Vec<(Waiter, u16)> {
    let head = |target: &str, host: &str, length: usize| {
        format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n")
    };
    let waiter = |name, head| Waiter { name, head, body: b"12345".to_vec() };
    vec![
        (waiter("what is not there", head("/nothing", "localhost", 5)), 404),
        (waiter("another host", head("/nothing", "evil.example", 5)), 421),
        (waiter("a path that hides another", head("/nothing/../login", "localhost", 5)), 400),
        (waiter("a large body for nobody", head("/nothing", "localhost", 2 << 20)), 404),
    ]
}

/// The statuses of all that a waiter is told, by each listener of a service: a first one of 100 where it is to go on.
///
/// # Errors
///
/// A listener cannot be reached, or answers no HTTP.
pub async fn wait(waiter: &Waiter, target: &Target<'_>) -> Result<Vec<(&'static str, Vec<u16>)>> {
    let mut under_way = tokio::task::JoinSet::new();
    for (listener, address, tls) in target.listeners()? {
        let Waiter { head, body, .. } = waiter.clone();
        under_way.spawn_blocking(move || -> Result<_> {
            let mut stream = connect(address, tls)?;
            stream.sock.set_read_timeout(Some(SILENCE))?;
            stream.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).and_then(|()| stream.flush())?;
            let (mut heard, mut told, mut sent) = (Vec::new(), Vec::new(), false);
            while told.last().is_none_or(|last| *last == 100) {
                let before = heard.len();
                let ended = listen(&mut stream, &mut heard);
                told = statuses(&heard)?;
                if ended || heard.len() == before {
                    break;
                }
                if told == [100] && !sent {
                    sent = true;
                    stream.write_all(&body).and_then(|()| stream.flush())?;
                }
            }
            Ok((listener, told))
        });
    }
    under_way.join_all().await.into_iter().collect()
}

/// An answer that says that the connection ends: more will not come.
fn is_over(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard).to_ascii_lowercase();
    text.contains("connection: close") && text.contains("\r\n\r\n") || text.matches("http/1.1 ").count() > 1
}

/// The status of each answer.
fn statuses(heard: &[u8]) -> Result<Vec<u16>> {
    let text = String::from_utf8_lossy(heard);
    let starts = text.match_indices("HTTP/1.").map(|(at, _)| at);
    starts.map(|at| status(text.get(at..).unwrap_or_default().as_bytes())).collect()
}

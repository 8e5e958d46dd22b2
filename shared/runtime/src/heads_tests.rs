//! Heads by hand, and against the framework's own reading of the same bytes.

use std::ops::Range;

use actix_codec::Decoder as _;
use actix_http::h1::{Codec, Message};
use actix_web::web::BytesMut;

use super::*;

/// What becomes of `text` when it comes `at_once` bytes at a time, and where the connection is then.
fn read(text: &[u8], at_once: usize) -> (Vec<u8>, Part, u64) {
    let (mut heads, mut bytes) = (Heads::default(), text.to_vec());
    for part in bytes.chunks_mut(at_once) {
        heads.read(part);
    }
    (bytes, heads.part, heads.whole)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn every_head_is_found_whatever_the_bodies_hold() {
    let bodies = [
        "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n\n\n\n\n".to_owned(),
        "POST / HTTP/1.1\r\ncontent-LENGTH:\t 0004 \r\n\r\n\r\n\r\n".to_owned(),
        "CONNECT x:443 HTTP/1.1\r\nContent-Length: 1\r\n\r\n\n".to_owned(),
        "POST / HTTP/1.1\r\nTransfer-Encoding:Chunked\r\n\r\n3;x=y\r\n\n\n\n\r\nA \r\n0123456\n\r\n\r\n0\r\n\r\n"
            .to_owned(),
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDigest: x\r\n\r\n".to_owned(),
        format!("POST / HTTP/1.1\r\nX: {}\r\nContent-Length: 2\r\n\r\n\n\n", "a: b".repeat(1000)),
        format!("POST / HTTP/1.1\r\nUpgrade: a/1, {}\r\nContent-Length: 2\r\n\r\n\n\n", "b/2, ".repeat(100)),
        format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", 70_000, "\n".repeat(70_000)),
        "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(),
        GET.to_owned(),
    ];
    for body in &bodies {
        for at_once in [1, 2, 3, 7, 100_000] {
            let text = format!("\r\n{body}{GET}\r\n{GET}");
            let expected = (text.clone().into_bytes(), Part::Between, 3);
            assert!(read(text.as_bytes(), at_once) == expected, "{at_once} at once: {}", &body[..40]);
            // And a wrong one after it is seen, of which nothing is passed on.
            let seen = format!("{body}GET / HTTP/1.1{}", "\0".repeat(1 + "Host: x\r\n\r\n".len()));
            let wrong = format!("{body}GET / HTTP/1.1\nHost: x\r\n\r\n");
            assert!(read(wrong.as_bytes(), at_once) == (seen.into_bytes(), Part::Spoilt, 1), "{}", &body[..40]);
        }
    }
}

#[test]
fn a_line_that_ends_with_lf_alone_is_seen_wherever_it_stands() {
    let lines = ["GET / HTTP/1.1", "Host: x", "Content-Length: 1", ""];
    for wrong in 0..lines.len() {
        let ended = |(n, line): (usize, &&str)| [*line, if n == wrong { "\n" } else { "\r\n" }].concat();
        let text = lines.iter().enumerate().map(ended).collect::<Vec<_>>().concat();
        let (seen, part, _) = read(text.as_bytes(), 5);
        let at = lines[..wrong].iter().map(|line| line.len() + 2).sum::<usize>() + lines[wrong].len();
        assert!(seen[..at] == text.as_bytes()[..at] && seen[at..].iter().all(|byte| *byte == 0), "{text:?}");
        assert_eq!(part, Part::Spoilt, "{text:?}");
    }
    assert_eq!(read(b"\nGET / HTTP/1.1\r\n", 9).1, Part::Spoilt);
    assert_eq!(read(b"GET / HTTP/1.1\r\n\r \n", 9).1, Part::Spoilt);
}

/// What reads trailers takes NUL, and no CR without its LF.
#[test]
fn a_trailer_that_ends_with_lf_alone_is_spoilt_otherwise() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    for trailer in ["\n\r\n", "X: a\nY: b\r\n\r\n", "X: a\r\n\n"] {
        let (seen, part, _) = read(format!("{head}{trailer}{GET}").as_bytes(), 7);
        let first = seen.iter().position(|byte| *byte == 0).unwrap();
        assert_eq!((seen[first - 1], part), (b'\r', Part::Spoilt), "{trailer:?}");
        assert!(seen[first..].iter().all(|byte| *byte == 0), "{trailer:?}");
    }
}

#[test]
fn a_name_as_long_as_none_is_is_wrong() {
    let field = |name: usize| format!("GET / HTTP/1.1\r\n{}: x\r\n\r\n", "a".repeat(name));
    assert_eq!(read(field(LINE - 1).as_bytes(), 9).1, Part::Between);
    assert_eq!(read(field(LINE).as_bytes(), 9).1, Part::Spoilt);
    assert_eq!(read(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1000)).as_bytes(), 9).1, Part::Between);
}

/// Elsewhere it is a character like any other.
#[test]
fn a_target_with_a_fragment_is_wrong() {
    for path in ["/#", "/a#b", &format!("/{}#b", "a".repeat(1000)), "https://x/#"] {
        for at_once in [1, 9, 5000] {
            let (seen, part, _) = read(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes(), at_once);
            assert_eq!((part, seen.contains(&b'#')), (Part::Spoilt, false), "{path}");
        }
    }
    assert_eq!(read(b"POST / HTTP/1.1\r\nX: #\r\nContent-Length: 1\r\n\r\n#", 9).1, Part::Between);
}

#[test]
fn what_is_another_protocol_is_not_read() {
    let connect = "CONNECT x:443 HTTP/1.1\r\n";
    let spaced = format!("GET / HTTP/1.1\r\nUpgrade:{}websocket\r\n", " ".repeat(80));
    for head in [connect, &spaced, "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nContent-Length: 0\r\n"] {
        assert_eq!(read(format!("{head}\r\nx\n\n").as_bytes(), 9).1, Part::Rest, "{head}");
    }
    // The framework would read on to the end of the connection, and somebody before us one byte.
    let both = "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(read(both.as_bytes(), 9).1, Part::Spoilt);
    // These are none.
    for head in ["CONNECTED / HTTP/1.1\r\n", "connect x HTTP/1.1\r\n", "GET / HTTP/1.1\r\nUpgrade: h2c\r\n"] {
        assert_eq!(read(format!("{head}\r\n").as_bytes(), 9).1, Part::Between, "{head}");
    }
}

/// RFC 9112 §9.6. Whatever its framing, the message itself comes whole.
#[test]
fn nothing_follows_a_message_that_says_close() {
    let closes =
        ["Connection: close", "connection:CLOSE\t", "Connection: te, Close", "Connection: te\r\nConnection: close"];
    let bodies = [
        ("", ""),
        ("Content-Length: 0\r\n", ""),
        ("Content-Length: 3\r\n", "\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\n\n\n\r\n0\r\nX: y\r\n\r\n"),
    ];
    for (connection, (framing, body)) in closes.iter().flat_map(|close| bodies.map(|body| (close, body))) {
        let last = format!("POST / HTTP/1.1\r\n{connection}\r\n{framing}\r\n{body}");
        for at_once in [1, 2, 3, 7, 1000] {
            let (mut heads, mut passed) = (Heads::default(), Vec::new());
            for bytes in format!("{GET}{last}{GET}").into_bytes().chunks_mut(at_once) {
                if heads.is_over() {
                    break;
                }
                let looked = heads.read(bytes);
                let over = if let Looked::Over(over) = looked { over } else { bytes.len() };
                passed.extend_from_slice(&bytes[..over]);
            }
            assert_eq!(String::from_utf8_lossy(&passed), format!("{GET}{last}"), "{at_once} at once");
        }
    }
    for connection in ["Connection: closed", "Connection: keep-alive", "X-Connection: close", "X: Connection: close"] {
        assert_eq!(read(format!("GET / HTTP/1.1\r\n{connection}\r\n\r\n{GET}").as_bytes(), 9).2, 2, "{connection}");
    }
    // Bytes that are no text hide no word.
    for close in [b"close, \xff".as_slice(), b"\xff, close", b"close,\xe9"] {
        let text = [b"GET / HTTP/1.1\r\nConnection: ", close, b"\r\n\r\n", GET.as_bytes()].concat();
        assert_eq!((read(&text, 9).1, read(&text, 9).2), (Part::Over, 1), "{close:?}");
    }
}

/// RFC 9112 §9.3.
#[test]
fn nothing_follows_a_message_of_http_1_0_that_has_not_asked_for_it() {
    let long = "a".repeat(1000);
    for (path, fields, heads) in [
        ("/", "", 1),
        (long.as_str(), "", 1),
        ("/", "Connection: te\r\n", 1),
        ("/", "Connection: keep-alive, close\r\n", 1),
        ("/", "Connection: close\r\nConnection: keep-alive\r\n", 1),
        ("/", "Connection: TE, Keep-Alive\r\n", 2),
        (long.as_str(), "Connection: keep-alive\r\n", 2),
    ] {
        for at_once in [1, 2, 9, 5000] {
            let text = format!("GET {path} HTTP/1.0\r\n{fields}\r\n{GET}");
            assert_eq!(read(text.as_bytes(), at_once).2, heads, "{fields:?}, {at_once} at once");
        }
    }
}

#[test]
fn what_stands_around_chunks_is_bounded_and_a_trailer_is_a_field() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let within = "x".repeat(4000);
    let good =
        [format!("1;{within}\r\na\r\n0;x\r\nX: {within}\r\n\r\n"), format!("0\r\n{}\r\n", "Digest: x\r\n".repeat(100))];
    for body in &good {
        for at_once in [1, 9, 5000] {
            // Twice: what is counted is of one message.
            assert_eq!(
                read(format!("{head}{body}{head}{body}").as_bytes(), at_once).1,
                Part::Between,
                "{}",
                &body[..9]
            );
        }
    }
    let beyond = "x".repeat(9000);
    for body in [
        format!("1;{beyond}\r\na\r\n0\r\n\r\n"),
        format!("0\r\nX: {beyond}\r\n\r\n"),
        format!("0\r\n{}\r\n", "X: y\r\n".repeat(3000)),
        "1;x\r\na\r\n".repeat(9000) + "0\r\n\r\n",
        "0\r\nbad trailer\r\n\r\n".to_owned(),
        "0\r\nX: \0\r\n\r\n".to_owned(),
    ] {
        for at_once in [1, 9, 5000] {
            assert_eq!(read(format!("{head}{body}").as_bytes(), at_once).1, Part::Spoilt, "{}", &body[..9]);
        }
    }
}

#[test]
fn nothing_is_guessed_of_where_a_body_ends() {
    let (zeros, blanks) = ("0".repeat(LINE), " ".repeat(LINE));
    for field in [
        format!("Content-Length: {zeros}1"),
        format!("transfer-encoding: {zeros}1"),
        format!("Upgrade: {blanks}websocket"),
        format!("Upgrade: websocket{blanks}x"),
        format!("Connection: {blanks}close"),
    ] {
        assert_eq!(read(format!("POST / HTTP/1.1\r\n{field}\r\n").as_bytes(), 9).1, Part::Spoilt, "{field}");
    }
    let size = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1{}\r\n", "0".repeat(16));
    assert_eq!(read(size.as_bytes(), 9).1, Part::Rest);
}

/// Bytes that a seed makes: messages of all framings, with something wrong here and there.
struct Stream {
    seed: u64,
    bytes: Vec<u8>,
}

impl Stream {
    /// A number below `limit` (xorshift64).
    fn pick(&mut self, limit: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) as usize % limit
    }

    fn one_of(&mut self, texts: &[&str]) {
        let text = texts[self.pick(texts.len())];
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn end_of_line(&mut self) {
        if self.pick(25) == 0 {
            self.one_of(&["\n", "\n", "\n\n", "\r \n"]);
        } else {
            self.one_of(&["\r\n"]);
        }
    }

    fn payload(&mut self, length: usize) {
        for _ in 0..length {
            self.one_of(&["\n", "\r", "a", "0", ":", " "]);
        }
    }

    fn message(&mut self) {
        if self.pick(12) == 0 {
            self.one_of(&["\r\n", "\r\n\r\n", "\n"]);
        }
        self.one_of(&["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "connect", "CONNECTED"]);
        self.one_of(&[" / HTTP/1.1", " /a HTTP/1.1", " x:443 HTTP/1.1", " * HTTP/1.1", " /?q=1 HTTP/1.0"]);
        self.end_of_line();
        self.one_of(&["Host: x\r\n", "Host: x\r\n", "Host: x\r\n", ""]);
        let length = [0, 1, 3, 12, 40][self.pick(5)];
        let framing = self.pick(4);
        if framing == 1 {
            self.one_of(&["Content-Length: ", "content-length:", "CONTENT-LENGTH:\t", "Content-Length: 00"]);
            self.bytes.extend_from_slice(length.to_string().as_bytes());
            self.one_of(&["", "", "", "", " ", "+", ", 3"]);
            self.end_of_line();
        } else if framing == 2 {
            self.one_of(&[
                "Transfer-Encoding: chunked",
                "transfer-encoding:CHUNKED ",
                "Transfer-Encoding: gzip, chunked",
            ]);
            self.end_of_line();
        }
        if self.pick(8) == 0 {
            // Not with a length, which is refused here and not there.
            let other = if framing == 1 { "Upgrade: h2c" } else { "upgrade:WebSocket " };
            self.one_of(&[other, "Upgrade: h2c", other, "Connection: upgrade"]);
            self.end_of_line();
        }
        if self.pick(12) == 0 {
            self.one_of(&["Connection: close", "connection:keep-alive , CLOSE", "Connection: closed"]);
            self.end_of_line();
        }
        if self.pick(3) == 0 {
            self.one_of(&["X: \u{e9}", "Expect: 100-continue", "X-Y: b:", "NoColon", " folded", "X : y"]);
            let more = [0, 100, 120, 130, 300][self.pick(5)];
            self.bytes.extend_from_slice("a".repeat(more).as_bytes());
            self.end_of_line();
        }
        self.end_of_line();
        match framing {
            1 => self.payload(length),
            2 => self.chunks(),
            _ => (),
        }
    }

    fn chunks(&mut self) {
        for _ in 0..self.pick(4) {
            let length = 1 + self.pick(40);
            self.one_of(&["", "0", "000"]);
            self.bytes.extend_from_slice(format!("{length:X}").as_bytes());
            self.one_of(&["", "", "", ";x=y", " ", ";a=\"b c\"", "\t;x"]);
            self.end_of_line();
            self.payload(length);
            self.end_of_line();
        }
        self.one_of(&["0\r\n", "00\r\n", "0;x\r\n"]);
        for _ in 0..self.pick(3) {
            self.one_of(&["X: y", "Digest: sha", "Content-Length: 5"]);
            self.end_of_line();
        }
        self.end_of_line();
    }
}

/// The framework's reading: its heads as ranges of the bytes, the payloads, and whether it refused what follows.
fn framework(bytes: &[u8]) -> (Vec<Range<usize>>, Vec<u8>, bool) {
    let mut codec = Codec::default();
    let (mut rest, mut heads, mut payload) = (BytesMut::from(bytes), Vec::new(), Vec::new());
    loop {
        let before = bytes.len() - rest.len();
        let item = codec.decode(&mut rest);
        let now = bytes.len() - rest.len();
        match item {
            Ok(Some(Message::Item(_))) => heads.push(before..now),
            Ok(Some(Message::Chunk(Some(bytes)))) => payload.extend_from_slice(&bytes),
            Ok(Some(Message::Chunk(None))) => (),
            Ok(None) => return (heads, payload, false),
            Err(_) => return (heads, payload, true),
        }
        if now == before && rest.is_empty() {
            return (heads, payload, false);
        }
    }
}

fn has_bare_line_feed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'\n') || bytes.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
}

/// The one question twice: is any head with such a line taken, and is anything else that the framework would take altered?
#[actix_web::test]
async fn the_framework_takes_no_head_with_such_a_line_and_everything_else_as_it_came() {
    let mut stream = Stream { seed: 0x9e37_79b9_7f4a_7c15, bytes: Vec::new() };
    let (mut spoilt, mut clean, mut taken, mut over) = (0, 0, 0, 0);
    for _ in 0..40_000 {
        stream.bytes.clear();
        for _ in 0..=stream.pick(4) {
            stream.message();
        }
        let (as_sent, mut as_seen, mut heads) = (stream.bytes.clone(), stream.bytes.clone(), Heads::default());
        let at_once = 1 + stream.pick(64);
        let (mut is_whole, mut passed) = (true, 0);
        for bytes in as_seen.chunks_mut(at_once) {
            match heads.read(bytes) {
                Looked::Over(last) => {
                    passed += last;
                    break;
                }
                looked => is_whole &= looked == Looked::Good,
            }
            passed += bytes.len();
        }
        over += usize::from(passed < as_sent.len());
        as_seen.truncate(passed);
        let (found, payload, _) = framework(&as_seen);
        taken += found.len();
        spoilt += usize::from(!is_whole);
        for head in found {
            assert!(!has_bare_line_feed(&as_sent[head.clone()]), "{:?}", String::from_utf8_lossy(&as_sent));
        }
        // What is taken as it was sent is whole, but for a trailer.
        let (heads, wanted, refused) = framework(&as_sent);
        if !refused && heads.iter().all(|head| !has_bare_line_feed(&as_sent[head.clone()])) {
            let wrong = as_sent.iter().zip(&as_seen).position(|(sent, seen)| sent != seen);
            let in_a_head = wrong.is_some_and(|at| heads.iter().any(|head| head.contains(&at)));
            let text = String::from_utf8_lossy(&as_sent);
            assert!(!in_a_head && wanted.starts_with(&payload), "{text:?}");
            clean += usize::from(wrong.is_none());
        }
    }
    let enough = spoilt > 1_000 && clean > 1_000 && taken > 10_000 && over > 500;
    assert!(enough, "{spoilt} {clean} {taken} {over}");
}

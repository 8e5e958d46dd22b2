//! Where the heads are in the bytes of a connection, and whether their lines end as they must.
//!
//! RFC 9112 §2.2 lets a recipient take a line that ends with LF alone, and the framework's parser does. A proxy before it that does not reads
//! another message than we do, which is how requests are smuggled: so the bytes are looked at before the parser has them.
//! To find the second head one must know where the first body ends. That is read here as the framework reads it, and only as far as
//! is needed: what it would refuse ends the connection, so what follows is of no interest.

/// Bytes of a line that are kept.
const LINE: usize = 128;

/// What is read of one connection.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    part: Part,
    line: Line,
    framing: Framing,
    /// Heads that came whole.
    whole: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    /// Before a head: nothing, or the empty lines that a parser skips (RFC 9112 §2.2).
    #[default]
    Between,
    RequestLine,
    Fields,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// A chunk's size, so far (RFC 9112 §7.1).
    Size(u64),
    /// What follows the size on its line.
    Extension(u64),
    /// So many bytes of a chunk are still to come, and the end of its line.
    Chunk(u64),
    Trailer,
    /// Nothing that follows is a head.
    Rest,
}

impl Heads {
    /// Whether a head has begun that is not whole yet.
    pub(crate) fn is_within(&self) -> bool {
        matches!(self.part, Part::RequestLine | Part::Fields)
    }

    /// Whether a head came whole before.
    pub(crate) fn is_past_the_first(&self) -> bool {
        self.whole > 0
    }

    /// Reads what came next. The LF of a head's line that ends with it alone becomes NUL, which no part of a head may hold (RFC 9110
    /// §5.5): so the parser refuses this head as it refuses every malformed one. `false` if that was done.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> bool {
        let (mut at, length) = (0, bytes.len());
        while let Some(byte) = bytes.get_mut(at) {
            let skipped = self.skip(length - at);
            if skipped > 0 {
                at += skipped;
                continue;
            }
            let Some(part) = self.next(*byte) else {
                *byte = 0;
                self.part = Part::Rest;
                return false;
            };
            self.part = part;
            at += 1;
        }
        true
    }

    /// How many of the next `count` bytes are a body's.
    fn skip(&mut self, count: usize) -> usize {
        let (Part::Body(left) | Part::Chunk(left)) = &mut self.part else { return 0 };
        // Default: a body longer than any memory; all of these are its bytes.
        let skipped = usize::try_from(*left).map_or(count, |left| left.min(count));
        *left = left.saturating_sub(skipped as u64);
        if self.part == Part::Body(0) {
            self.part = Part::Between;
        }
        skipped
    }

    /// Where the connection is after `byte`. `None` if that ends a line of a head in another way than with CR LF.
    fn next(&mut self, byte: u8) -> Option<Part> {
        let part = self.part;
        Some(match part {
            Part::Between | Part::RequestLine | Part::Fields | Part::Trailer if byte == b'\n' => {
                let line = std::mem::take(&mut self.line).whole()?;
                self.after(&line)
            }
            Part::Between | Part::RequestLine | Part::Fields | Part::Trailer => {
                self.line.push(byte);
                if part == Part::Between && byte != b'\r' { Part::RequestLine } else { part }
            }
            Part::Size(0) | Part::Extension(0) if byte == b'\n' => Part::Trailer,
            Part::Size(size) | Part::Extension(size) if byte == b'\n' => Part::Chunk(size),
            Part::Size(size) => match char::from(byte).to_digit(16) {
                None => Part::Extension(size),
                // Default: nothing more is read after a number that is too large, which the parser refuses.
                Some(digit) => size.checked_mul(16).map_or(Part::Rest, |size| Part::Size(size | u64::from(digit))),
            },
            Part::Chunk(_) if byte == b'\n' => Part::Size(0),
            Part::Extension(_) | Part::Chunk(_) | Part::Body(_) | Part::Rest => part,
        })
    }

    /// What follows a line.
    fn after(&mut self, line: &[u8]) -> Part {
        match self.part {
            Part::RequestLine => {
                self.framing = Framing { other: line.starts_with(b"CONNECT "), ..Framing::default() };
                Part::Fields
            }
            Part::Fields if line.is_empty() => {
                self.whole += 1;
                self.framing.body()
            }
            Part::Fields => {
                self.framing.read(line);
                Part::Fields
            }
            Part::Trailer if line.is_empty() => Part::Between,
            part => part,
        }
    }
}

/// The line that is being read.
#[derive(Debug, Default)]
struct Line {
    beginning: Vec<u8>,
    length: usize,
    last: u8,
}

impl Line {
    fn push(&mut self, byte: u8) {
        if self.beginning.len() < LINE {
            self.beginning.push(byte);
        }
        (self.length, self.last) = (self.length + 1, byte);
    }

    /// Its text without its end. `None` if it ended with LF alone, or says in more bytes than are kept where its message ends.
    fn whole(mut self) -> Option<Vec<u8>> {
        if self.last != b'\r' || (self.length > LINE && Framing::is_in(&self.beginning)) {
            return None;
        }
        if self.length <= LINE {
            self.beginning.pop();
        }
        Some(self.beginning)
    }
}

/// What a head says of its body.
#[derive(Debug, Clone, Copy, Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    /// What follows the head is another protocol's.
    other: bool,
}

impl Framing {
    const FIELDS: [&str; 3] = ["content-length", "transfer-encoding", "upgrade"];

    fn is_in(line: &[u8]) -> bool {
        field(line).is_some_and(|(name, _)| Self::FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)))
    }

    fn read(&mut self, line: &[u8]) {
        let Some((name, value)) = field(line) else { return };
        let [length, coding, upgrade] = Self::FIELDS;
        if name.eq_ignore_ascii_case(length) {
            // What is no length is refused by the parser.
            self.length = value.parse().ok();
        } else if name.eq_ignore_ascii_case(coding) {
            self.chunked |= value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case(upgrade) {
            self.other |= value.eq_ignore_ascii_case("websocket");
        }
    }

    /// In the order in which the framework asks.
    fn body(self) -> Part {
        match self.length {
            _ if self.chunked => Part::Size(0),
            _ if self.other => Part::Rest,
            None | Some(0) => Part::Between,
            Some(length) => Part::Body(length),
        }
    }
}

/// Name and value, where both are text.
fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim()))
}

#[cfg(test)]
mod tests {
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
            "POST / HTTP/1.1\r\nTransfer-Encoding:Chunked\r\n\r\n3;x=y\r\n\n\n\n\r\nA \r\n0123456\n\r\n\r\n0\r\n\r\n"
                .to_owned(),
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nDigest: x\r\n\r\n".to_owned(),
            format!("POST / HTTP/1.1\r\nX: {}\r\nContent-Length: 2\r\n\r\n\n\n", "a: b".repeat(1000)),
            format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", 70_000, "\n".repeat(70_000)),
            "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(),
            GET.to_owned(),
        ];
        for body in &bodies {
            for at_once in [1, 2, 3, 7, 100_000] {
                let text = format!("\r\n{body}{GET}\r\n{GET}");
                let expected = (text.clone().into_bytes(), Part::Between, 3);
                assert!(read(text.as_bytes(), at_once) == expected, "{at_once} at once: {}", &body[..40]);
                // And a wrong one after it is seen.
                let wrong = format!("{body}GET / HTTP/1.1\nHost: x\r\n\r\n");
                let seen = format!("{body}GET / HTTP/1.1\0Host: x\r\n\r\n");
                assert!(read(wrong.as_bytes(), at_once) == (seen.into_bytes(), Part::Rest, 1), "{}", &body[..40]);
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
            let nul = lines[..wrong].iter().map(|line| line.len() + 2).sum::<usize>() + lines[wrong].len();
            assert_eq!((seen[nul], part), (0, Part::Rest), "{text:?}");
            assert_eq!(seen.iter().position(|byte| *byte == 0), seen.iter().rposition(|byte| *byte == 0), "{text:?}");
        }
        assert_eq!(read(b"\nGET / HTTP/1.1\r\n", 9).1, Part::Rest);
        assert_eq!(read(b"GET / HTTP/1.1\r\n\r \n", 9).1, Part::Rest);
    }

    #[test]
    fn what_is_another_protocol_is_not_read() {
        for head in ["CONNECT x:443 HTTP/1.1\r\n", "GET / HTTP/1.1\r\nUpgrade: WebSocket\r\nContent-Length: 1\r\n"] {
            assert_eq!(read(format!("{head}\r\nx\n\n").as_bytes(), 9).1, Part::Rest, "{head}");
        }
        // These are none.
        for head in ["CONNECTED / HTTP/1.1\r\n", "connect x HTTP/1.1\r\n", "GET / HTTP/1.1\r\nUpgrade: h2c\r\n"] {
            assert_eq!(read(format!("{head}\r\n").as_bytes(), 9).1, Part::Between, "{head}");
        }
    }

    #[test]
    fn nothing_is_guessed_of_where_a_body_ends() {
        for field in ["Content-Length", "transfer-encoding", "Upgrade"] {
            let long = format!("POST / HTTP/1.1\r\n{field}: {}1\r\n", "0".repeat(LINE));
            assert_eq!(read(long.as_bytes(), 9).1, Part::Rest, "{field}");
        }
        let size = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1{}\r\n", "0".repeat(16));
        assert_eq!(read(size.as_bytes(), 9).1, Part::Rest);
    }
}

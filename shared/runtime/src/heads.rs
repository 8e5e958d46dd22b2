//! Where the heads are in the bytes of a connection, and whether their lines end as they must.
//!
//! RFC 9112 §2.2 lets a recipient take a line that ends with LF alone, and the framework's parser does. A proxy before it that does not reads
//! another message than we do, which is how requests are smuggled: so the bytes are looked at before the parser has them.
//! To find the second head one must know where the first body ends. That is read here as the framework reads it, against which the tests hold
//! it, and only as far as is needed: what the framework refuses ends the connection, so what follows is of no interest.
//!
//! A request that says `Connection: close`, or is of HTTP/1.0 and does not say `keep-alive`, is the last of its connection (RFC 9112 §9.3). The
//! framework answers those behind it all the same; here they end with it.

use std::borrow::Cow;

/// Bytes of a line that are kept.
const LINE: usize = 128;
/// Bytes of all that a message has around its chunks: extensions and trailers. Nobody here reads them; a digest and a signature are some hundred.
const AROUND: u64 = 8 * 1024;
/// What stands in the place of what is not passed on: NUL, which no part of a head may hold (RFC 9110 §5.5).
const NOTHING: u8 = 0;

/// What is read of one connection.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    part: Part,
    line: Line,
    framing: Framing,
    /// Bytes so far around the chunks of this message.
    around: u64,
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
    /// A line was wrong: nothing that follows is passed on.
    Spoilt,
    /// The last message is whole.
    Over,
}

/// What came, looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    /// It is passed on.
    Good,
    /// A line was wrong, so this and everything after it is spoilt.
    Wrong,
    /// With so many bytes the last message is whole. The rest is not passed on.
    Over(usize),
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

    /// Whether nothing that comes is passed on any more.
    pub(crate) fn is_over(&self) -> bool {
        self.part == Part::Over
    }

    /// Reads what came next. A line that is wrong is spoilt, and everything after it, so that the parser refuses it as it refuses every
    /// malformed one.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> Looked {
        if self.part == Part::Spoilt {
            bytes.fill(NOTHING);
            return Looked::Good;
        }
        let (mut at, length) = (0, bytes.len());
        while at < length && self.part != Part::Over {
            let skipped = self.skip(length - at);
            if skipped > 0 {
                at += skipped;
                continue;
            }
            // Default: there are no more.
            let taken = self.take(bytes.get(at..).unwrap_or_default());
            if taken > 0 {
                at += taken;
                continue;
            }
            let Some(byte) = bytes.get_mut(at) else { break };
            let Some(part) = self.next(*byte) else {
                // What reads trailers looks for nothing but CR, and takes none without its LF.
                *byte = if self.part == Part::Trailer { b'\r' } else { NOTHING };
                self.part = Part::Spoilt;
                bytes.iter_mut().skip(at + 1).for_each(|byte| *byte = NOTHING);
                return Looked::Wrong;
            };
            self.part = part;
            at += 1;
        }
        if self.part == Part::Over { Looked::Over(at) } else { Looked::Good }
    }

    /// How many of the next `count` bytes are a body's.
    fn skip(&mut self, count: usize) -> usize {
        let (Part::Body(left) | Part::Chunk(left)) = &mut self.part else { return 0 };
        // Default: a body longer than any memory; all of these are its bytes.
        let skipped = usize::try_from(*left).map_or(count, |left| left.min(count));
        *left = left.saturating_sub(skipped as u64);
        if self.part == Part::Body(0) {
            self.part = self.framing.end();
        }
        skipped
    }

    /// How many of the next bytes belong to the line of a head that has begun, up to one about which something is to be decided.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let (Part::RequestLine | Part::Fields | Part::Trailer) = self.part else { return 0 };
        let end = match self.part {
            Part::RequestLine => memchr::memchr2(b'\n', b'#', bytes),
            _ => memchr::memchr(b'\n', bytes),
        };
        // Default: there is nothing to decide about.
        let end = end.unwrap_or(bytes.len());
        // The byte with which a name would be too long is looked at by itself.
        let most = if self.line.length < LINE { LINE - 1 - self.line.length } else { end };
        let most = if self.part == Part::Trailer { most.min(self.room()) } else { most };
        // Default: never, the end is within.
        let taken = bytes.get(..end.min(most)).unwrap_or_default();
        self.line.extend(taken);
        if self.part == Part::Trailer {
            self.around += taken.len() as u64;
        }
        taken.len()
    }

    /// So many bytes may still stand around this message's chunks.
    fn room(&self) -> usize {
        // Default: more than there can be.
        usize::try_from(AROUND.saturating_sub(self.around)).unwrap_or(usize::MAX)
    }

    /// Where the connection is after `byte`. `None` if with that a line is wrong.
    fn next(&mut self, byte: u8) -> Option<Part> {
        let part = self.part;
        if matches!(part, Part::Extension(_) | Part::Trailer) {
            self.around += 1;
            if self.around > AROUND {
                return None;
            }
        }
        Some(match part {
            // No target has a fragment (RFC 9112 §3.2). The framework drops it, and somebody before us may not.
            Part::RequestLine if byte == b'#' => return None,
            Part::Between | Part::RequestLine | Part::Fields | Part::Trailer if byte == b'\n' => {
                let line = std::mem::take(&mut self.line);
                let old = line.ends_with(b" HTTP/1.0\r");
                self.after(&line.whole()?, old)?
            }
            Part::Between | Part::RequestLine | Part::Fields | Part::Trailer => {
                self.line.push(byte);
                // No name is that long; of one of 64 KiB the framework dies.
                if part == Part::Fields && self.line.length == LINE && !self.line.beginning.contains(&b':') {
                    return None;
                }
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
            Part::Extension(_) | Part::Chunk(_) | Part::Body(_) | Part::Rest | Part::Spoilt | Part::Over => part,
        })
    }

    /// What follows a line, which is of HTTP/1.0 if it is a request's. `None` if it is wrong.
    fn after(&mut self, line: &[u8], old: bool) -> Option<Part> {
        match self.part {
            Part::RequestLine => {
                let persists = if old { Persists::IfAsked } else { Persists::UnlessClosed };
                self.framing = Framing { connect: line.starts_with(b"CONNECT "), persists, ..Framing::default() };
                self.around = 0;
                Some(Part::Fields)
            }
            Part::Fields if line.is_empty() => {
                self.whole += 1;
                self.framing.body()
            }
            Part::Fields => {
                self.framing.read(line);
                Some(Part::Fields)
            }
            Part::Trailer if line.is_empty() => Some(self.framing.end()),
            Part::Trailer => (line.contains(&b':') && !line.contains(&NOTHING)).then_some(Part::Trailer),
            part => Some(part),
        }
    }
}

/// The line that is being read.
#[derive(Debug, Default)]
struct Line {
    beginning: Vec<u8>,
    length: usize,
    /// Its last bytes.
    end: [u8; END],
}

/// As many as say the version of a request.
const END: usize = b" HTTP/1.0\r".len();

impl Line {
    fn push(&mut self, byte: u8) {
        if self.beginning.len() < LINE {
            self.beginning.push(byte);
        }
        self.length += 1;
        self.end.rotate_left(1);
        if let Some(last) = self.end.last_mut() {
            *last = byte;
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(LINE.saturating_sub(self.beginning.len()));
        self.beginning.extend(bytes.iter().take(kept));
        self.length += bytes.len();
        let new = bytes.get(bytes.len().saturating_sub(END)..).unwrap_or_default(); // Default: never, it is within.
        self.end.rotate_left(new.len() % END);
        for (place, byte) in self.end.iter_mut().rev().zip(new.iter().rev()) {
            *place = *byte;
        }
    }

    fn ends_with(&self, end: &[u8; END]) -> bool {
        self.end == *end
    }

    fn is_cut(&self) -> bool {
        self.length > LINE
    }

    /// Its text without its end. `None` if it ended with LF alone, or says in more bytes than are kept where its message ends.
    fn whole(mut self) -> Option<Vec<u8>> {
        if self.end.last() != Some(&b'\r') || (self.is_cut() && Framing::is_in(&self.beginning)) {
            return None;
        }
        if !self.is_cut() {
            self.beginning.pop();
        }
        Some(self.beginning)
    }
}

/// What a head says of where its message ends, and whether another follows.
#[derive(Debug, Clone, Copy, Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    websocket: bool,
    /// The method is CONNECT.
    connect: bool,
    persists: Persists,
}

/// Whether another message may follow (RFC 9112 §9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Persists {
    /// It says nothing else, and is of HTTP/1.1.
    #[default]
    UnlessClosed,
    /// It is of HTTP/1.0, and has not asked for it yet.
    IfAsked,
    /// It is of HTTP/1.0, and has asked for it.
    Asked,
    /// It says `close`.
    Closed,
}

impl Framing {
    const FIELDS: [&str; 4] = ["content-length", "transfer-encoding", "upgrade", "connection"];

    /// Whether a longer line that begins so may say where a body ends.
    fn is_in(beginning: &[u8]) -> bool {
        let Some((name, value)) = field(beginning) else { return false };
        let [length, coding, upgrade, connection] = Self::FIELDS.map(|field| name.eq_ignore_ascii_case(field));
        length || coding || connection || (upgrade && (value.is_empty() || value.eq_ignore_ascii_case("websocket")))
    }

    fn read(&mut self, line: &[u8]) {
        let Some((name, value)) = field(line) else { return };
        let [length, coding, upgrade, connection] = Self::FIELDS;
        if name.eq_ignore_ascii_case(length) {
            // What is no length is refused by the parser.
            self.length = value.parse().ok();
        } else if name.eq_ignore_ascii_case(coding) {
            self.chunked |= value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case(upgrade) {
            self.websocket |= value.eq_ignore_ascii_case("websocket");
        } else if name.eq_ignore_ascii_case(connection) {
            let says = |word: &str| value.split(',').any(|option| option.trim().eq_ignore_ascii_case(word));
            if says("close") {
                self.persists = Persists::Closed;
            } else if self.persists == Persists::IfAsked && says("keep-alive") {
                self.persists = Persists::Asked;
            }
        }
    }

    /// What comes when the message is whole.
    fn end(self) -> Part {
        match self.persists {
            Persists::UnlessClosed | Persists::Asked => Part::Between,
            Persists::IfAsked | Persists::Closed => Part::Over,
        }
    }

    /// In the order in which the framework asks. `None` where it would not take the length that is given (RFC 9110 §7.8: an upgrade that is not made
    /// changes nothing).
    fn body(self) -> Option<Part> {
        Some(match self.length {
            _ if self.chunked => Part::Size(0),
            Some(1..) if self.websocket => return None,
            _ if self.websocket => Part::Rest,
            Some(length @ 1..) => Part::Body(length),
            _ if self.connect => Part::Rest,
            None | Some(0) => self.end(),
        })
    }
}

/// Name and value. What is no text in the value (RFC 9110 §5.5) is no part of any word that is looked for, and hides none.
fn field(line: &[u8]) -> Option<(&str, Cow<'_, str>)> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    Some((std::str::from_utf8(name).ok()?, String::from_utf8_lossy(value.trim_ascii())))
}

#[cfg(test)]
#[path = "heads_tests.rs"]
mod tests;

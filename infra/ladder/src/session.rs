//! One session in PostgreSQL, before there is any program of ours: enough to sign in, to ask, and to hold a lock. How a password is proven is the
//! driver's own code (`postgres-protocol`); here is no TLS, which would take a C compiler.

#![expect(
    clippy::disallowed_methods,
    reason = "the ladder runs before any runtime: it knows no clock but the system's"
)]

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

use crate::url::Given;

/// How long a server may take to answer: to a connection, to a password, to a question.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than any answer to a question of ours.
const LONGEST: usize = 1024 * 1024;
/// Protocol 3.0, and the code that asks for TLS instead (PostgreSQL, "Frontend/Backend Protocol").
const PROTOCOL: i32 = 196_608;
const TLS_REQUEST: i32 = 80_877_103;

trait Stream: Read + Write + Send + Sync {
    /// How long a read may wait.
    fn wait_at_most(&self, limit: Duration) -> std::io::Result<()>;
}

impl Stream for TcpStream {
    fn wait_at_most(&self, limit: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

impl Stream for UnixStream {
    fn wait_at_most(&self, limit: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(limit))
    }
}

/// A session that has signed in. It ends, and with it whatever it holds, when it is dropped or its process ends.
pub(crate) struct Session {
    stream: Box<dyn Stream>,
    place: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a session in {}", self.place)
    }
}

/// What a query answers: rows of texts.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

impl Session {
    /// Signs in, under a name by which others see whose session it is. The error never repeats the password.
    pub(crate) fn open(given: &Given, name: &str) -> Result<Self, String> {
        let mut session = Self::connect(given)?;
        let parameters = [
            ("user", given.user.as_str()),
            ("database", &given.database),
            ("application_name", name),
            ("client_encoding", "UTF8"),
        ];
        let mut body = PROTOCOL.to_be_bytes().to_vec();
        for (key, value) in parameters {
            body.extend_from_slice(format!("{key}\0{value}\0").as_bytes());
        }
        body.push(0);
        session.send(None, &body)?;
        session.prove(given)?;
        // Its settings, until it is ready.
        session.answers().map(|_rows| session)
    }

    /// Err, or nothing: whether the server there offers TLS.
    pub(crate) fn offers_tls(given: &Given) -> Result<(), String> {
        let mut session = Self::connect(given)?;
        session.send(None, &TLS_REQUEST.to_be_bytes())?;
        let mut answer = [0_u8];
        session.read(&mut answer, Instant::now() + PATIENCE)?;
        match answer {
            [b'S'] => Ok(()),
            _ => Err(format!("the server at {} offers no TLS, and the URL asks for it", session.place)),
        }
    }

    fn connect(given: &Given) -> Result<Self, String> {
        let place = given.place();
        let unreachable = |e: std::io::Error| format!("no server answers at {place} ({e})");
        let stream: Box<dyn Stream> = if let Some(socket) = given.socket() {
            Box::new(UnixStream::connect(socket).map_err(unreachable)?)
        } else {
            let host = given.address.as_deref().unwrap_or(&given.host);
            let mut failure = std::io::Error::other("its name has no address");
            let addresses = (host, given.port).to_socket_addrs().map_err(unreachable)?;
            let connect = |address| TcpStream::connect_timeout(&address, PATIENCE);
            let found = addresses.into_iter().find_map(|address| connect(address).map_err(|e| failure = e).ok());
            Box::new(found.ok_or_else(|| unreachable(failure))?)
        };
        Ok(Self { stream, place })
    }

    fn prove(&mut self, given: &Given) -> Result<(), String> {
        let password = |place: &str| {
            let none = || format!("the server at {place} wants a password, and the URL has none");
            given.password.as_deref().ok_or_else(none)
        };
        let broken = |e: std::io::Error| format!("the server does not prove that it knows the password ({e})");
        let mut scram: Option<ScramSha256> = None;
        loop {
            let (tag, body) = self.message()?;
            let (kind, rest) = match (tag, body.split_first_chunk::<4>()) {
                (b'R', Some((kind, rest))) => (i32::from_be_bytes(*kind), rest),
                _ => return Err(self.unexpected(tag)),
            };
            match (kind, scram.as_mut()) {
                (0, _) => return Ok(()),
                (3, _) => {
                    let answer = format!("{}\0", password(&self.place)?);
                    self.send(Some(b'p'), answer.as_bytes())?;
                }
                (5, _) => {
                    let salt = rest.first_chunk::<4>().ok_or_else(|| self.unexpected(tag))?;
                    let hash = md5_hash(given.user.as_bytes(), password(&self.place)?.as_bytes(), *salt);
                    self.send(Some(b'p'), format!("{hash}\0").as_bytes())?;
                }
                (10, _) => {
                    if !rest.split(|byte| *byte == 0).any(|name| name == SCRAM_SHA_256.as_bytes()) {
                        return Err(self.strange());
                    }
                    let begun = ScramSha256::new(password(&self.place)?.as_bytes(), ChannelBinding::unsupported());
                    let mut answer = format!("{SCRAM_SHA_256}\0").into_bytes();
                    let length = i32::try_from(begun.message().len()).map_err(|e| e.to_string())?;
                    answer.extend_from_slice(&length.to_be_bytes());
                    answer.extend_from_slice(begun.message());
                    self.send(Some(b'p'), &answer)?;
                    scram = Some(begun);
                }
                (11, Some(scram)) => {
                    scram.update(rest).map_err(broken)?;
                    let answer = scram.message().to_vec();
                    self.send(Some(b'p'), &answer)?;
                }
                (12, Some(scram)) => scram.finish(rest).map_err(broken)?,
                _ => return Err(self.strange()),
            }
        }
    }

    fn strange(&self) -> String {
        format!(
            "the server at {} asks for a proof of identity that is neither a password nor SCRAM-SHA-256",
            self.place
        )
    }

    /// The rows of one statement.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<Rows, String> {
        self.send(Some(b'Q'), format!("{sql}\0").as_bytes())?;
        self.answers()
    }

    /// All rows until the server is ready again.
    fn answers(&mut self) -> Result<Rows, String> {
        let (mut rows, mut failure) = (Vec::new(), None);
        loop {
            match self.message() {
                Ok((b'D', body)) => rows.push(columns(&body).ok_or_else(|| self.unexpected(b'D'))?),
                Ok((b'Z', _)) => return failure.map_or(Ok(rows), Err),
                Ok(_) => (), // what it is called, how many there were, what it remarks
                // After the refusal of a statement it goes on; after any other it does not, and the next message tells.
                Err(reason) if failure.is_none() => failure = Some(reason),
                Err(_again) => return Err(failure.unwrap_or_default()),
            }
        }
    }

    fn send(&mut self, tag: Option<u8>, body: &[u8]) -> Result<(), String> {
        let length = i32::try_from(body.len() + 4).map_err(|e| e.to_string())?;
        let mut bytes: Vec<u8> = tag.into_iter().collect();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(body);
        let place = &self.place;
        self.stream.write_all(&bytes).map_err(|e| format!("the server at {place} has gone ({e})"))
    }

    /// The next message, unless it is a refusal.
    fn message(&mut self) -> Result<(u8, Vec<u8>), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut head = [0_u8; 5];
        self.read(&mut head, deadline)?;
        let [tag, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).ok().and_then(|length| length.checked_sub(4));
        let length = length.filter(|length| *length <= LONGEST).ok_or_else(|| self.unexpected(tag))?;
        let mut body = vec![0_u8; length];
        self.read(&mut body, deadline)?;
        if tag == b'E' { Err(self.refusal(&body)) } else { Ok((tag, body)) }
    }

    fn read(&mut self, bytes: &mut [u8], deadline: Instant) -> Result<(), String> {
        let mut have = 0;
        while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let place = &self.place;
            if left.is_zero() {
                return Err(format!("the server at {place} gives no answer within {} s", PATIENCE.as_secs()));
            }
            self.stream.wait_at_most(left).map_err(|e| format!("a socket cannot be waited for ({e})"))?;
            match self.stream.read(rest) {
                Ok(0) => return Err(format!("what is at {place} closed the connection: it may be no PostgreSQL")),
                Ok(count) => have += count,
                Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => (),
                Err(e) => return Err(format!("the server at {place} has gone ({e})")),
            }
        }
        Ok(())
    }

    fn unexpected(&self, tag: u8) -> String {
        format!("what is at {} does not speak PostgreSQL's protocol ({:?})", self.place, char::from(tag))
    }

    /// PostgreSQL's words and code ("Error and Notice Message Fields"); they never hold a password.
    fn refusal(&self, body: &[u8]) -> String {
        let field = |wanted: u8| {
            let mut fields = body.split(|byte| *byte == 0);
            let found = fields.find_map(|field| field.split_first().filter(|(kind, _)| **kind == wanted));
            found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
        };
        format!("the server at {} says: {} ({})", self.place, field(b'M'), field(b'C'))
    }
}

/// The columns of a row: a count, and for each its length and its bytes, or -1.
fn columns(body: &[u8]) -> Option<Vec<Option<String>>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            columns.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after.split_at_checked(length)?;
        columns.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    rest.is_empty().then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_with_what_is_not_there_and_not_beyond_its_end() {
        let row = b"\0\x02\0\0\0\x01x\xff\xff\xff\xff";
        assert_eq!(columns(row), Some(vec![Some("x".to_owned()), None]));
        assert_eq!(columns(&row[..9]), None);
        assert_eq!(columns(b"\0\x01\0\0\0\x09x"), None);
    }
}

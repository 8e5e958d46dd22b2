//! The way to a Redis: one multiplexed connection that a task of its own keeps.
//!
//! What holds:
//! - a call takes no longer than [`DEADLINE`], whatever the server does: away, hanging, or slow;
//! - after a failure, and as long as there is no connection, calls fail at once: no request waits for what another has found out. The next attempt to
//!   connect begins [`PAUSE`] later, and goes on for as long as it takes;
//! - why there is none is logged once for each time that it goes, and tells [`Link::state`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_millis(100);
/// How long it may take to connect, name lookup and log-in included; nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);
/// How long nobody asks after a failure.
const PAUSE: Duration = Duration::from_millis(250);

/// What runs on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Script {
    Claim,
    Count,
}

impl Script {
    const ALL: [Self; 2] = [Self::Claim, Self::Count];

    const fn text(self) -> &'static str {
        match self {
            Self::Claim => include_str!("claim.lua"),
            Self::Count => include_str!("count.lua"),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Broken {
    #[error("not connected yet")]
    NotYet,
    #[error("no answer in time")]
    Late,
    #[error("it cannot be reached: {0}")]
    Unreachable(Arc<std::io::Error>),
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("it forgets what counts when it is full: `maxmemory-policy` must be `noeviction`")]
    Forgets,
    #[error("what it answered is not what its script returns")]
    Malformed,
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self::Unreachable(Arc::new(error))
    }
}

impl Broken {
    /// For whoever asked.
    fn reason(&self) -> &'static str {
        match self {
            Self::Late => "store_late",
            Self::NotYet | Self::Unreachable(_) => "store_away",
            Self::Redis(_) | Self::Forgets | Self::Malformed => "store_failed",
        }
    }
}

/// Where it is, and how to be sure that it is the one.
pub(super) struct Server {
    pub(super) at: ConnectionInfo,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
}

/// A connection, or why there is none.
type State = Result<Live, Broken>;

pub(super) struct Link {
    /// [`DEADLINE`]; more in tests, which share the machine with others.
    pub(super) deadline: Duration,
    state: Arc<watch::Sender<State>>,
    was_there: Arc<AtomicBool>,
    keeper: JoinHandle<()>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// The scripts' names on the server.
    loaded: Arc<BTreeMap<Script, String>>,
    driver: Arc<Driver>,
}

/// What reads and writes the connection's stream; it ends with the last who uses it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Link {
    /// Begins to connect, on the runtime that this is called from.
    pub(super) fn open(server: Server) -> Self {
        let state = Arc::new(watch::Sender::new(Err(Broken::NotYet)));
        let was_there = Arc::new(AtomicBool::new(false));
        let keeper = tokio::spawn(keep(server, Arc::clone(&state), Arc::clone(&was_there)));
        Self { deadline: DEADLINE, state, was_there, keeper }
    }

    /// Whether there was a connection since this was opened.
    pub(super) fn was_there(&self) -> bool {
        self.was_there.load(Ordering::Relaxed)
    }

    /// Why there is no connection, if there is none.
    pub(super) fn state(&self) -> Result<(), Broken> {
        self.state.borrow().as_ref().map(|_| ()).map_err(Broken::clone)
    }

    /// Waits for the connection.
    pub(super) async fn connected(&self) {
        // An error would say that the sender is gone, which we hold.
        drop(self.state.subscribe().wait_for(Result::is_ok).await);
    }

    /// Runs a script, and reads its answer. An error is the reason why it cannot be told what came of it.
    pub(super) async fn call<T>(
        &self,
        script: Script,
        keys: &[String],
        arguments: &[Vec<u8>],
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, &'static str> {
        let live = self.state.borrow().as_ref().map_err(Broken::reason)?.clone();
        let answer = match timeout(self.deadline, live.run(script, keys, arguments)).await {
            Ok(answer) => answer.map_err(Broken::from).and_then(|value| read(value).ok_or(Broken::Malformed)),
            Err(_) => Err(Broken::Late),
        };
        answer.map_err(|broken| self.give_up(&live, broken))
    }

    /// Nobody uses this connection any more; the keeper makes a new one. Whoever comes late with a failure of an old one leaves the new one alone.
    fn give_up(&self, failed: &Live, broken: Broken) -> &'static str {
        let reason = broken.reason();
        self.state.send_if_modified(|state| {
            let current = state.as_ref().is_ok_and(|live| Arc::ptr_eq(&live.driver, &failed.driver));
            if current {
                *state = Err(broken);
            }
            current
        });
        reason
    }
}

/// Connects, waits until the connection is given up, and begins again.
async fn keep(server: Server, state: Arc<watch::Sender<State>>, was_there: Arc<AtomicBool>) {
    let mut told = false;
    loop {
        match timeout(CONNECT, Live::connect(&server)).await.map_err(|_| Broken::Late).flatten() {
            Ok(live) => {
                runtime::tracing::info!("connected to the shared store");
                was_there.store(true, Ordering::Relaxed);
                drop(state.send_replace(Ok(live)));
                let gone = state.subscribe().wait_for(Result::is_err).await.map(|gone| gone.as_ref().err().cloned());
                let cause = gone.ok().flatten().map(|broken| broken.to_string());
                runtime::tracing::warn!(cause, "the connection to the shared store is given up");
                told = true;
            }
            Err(broken) => {
                if !told {
                    runtime::tracing::warn!(cause = %broken, "the shared store cannot be used");
                }
                told = true;
                drop(state.send_replace(Err(broken)));
            }
        }
        sleep(PAUSE).await;
    }
}

impl Live {
    async fn connect(server: &Server) -> Result<Self, Broken> {
        let ConnectionAddr::Tcp(host, port) = server.at.addr() else {
            return Err(RedisError::from((ErrorKind::InvalidClientConfig, "not a TCP address")).into());
        };
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        match &server.tls {
            Some(config) => {
                let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
                Self::over(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?, &server.at).await
            }
            None => Self::over(stream, &server.at).await,
        }
    }

    async fn over<S>(stream: S, server: &ConnectionInfo) -> Result<Self, Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let settings = server.redis_settings().clone().set_skip_set_lib_name();
        // Deadlines are ours: they count from the request, not from the write.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let (mut connection, driver) = MultiplexedConnection::new_with_config(&settings, stream, config).await?;
        let driver = Arc::new(Driver(tokio::spawn(driver)));
        check_memory(&mut connection).await?;
        let mut loaded = BTreeMap::new();
        for script in Script::ALL {
            let name = redis::cmd("SCRIPT").arg("LOAD").arg(script.text()).query_async(&mut connection).await?;
            loaded.insert(script, name);
        }
        Ok(Self { connection, loaded: Arc::new(loaded), driver })
    }

    async fn run(&self, script: Script, keys: &[String], arguments: &[Vec<u8>]) -> Result<Value, RedisError> {
        let mut connection = self.connection.clone();
        let command = |name: &str, text: &str| {
            let mut command = redis::cmd(name);
            command.arg(text).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        let Some(name) = self.loaded.get(&script) else {
            return Err((ErrorKind::Client, "a script was not loaded").into());
        };
        match command("EVALSHA", name).query_async(&mut connection).await {
            // Somebody flushed the server's scripts; EVAL loads it again.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", script.text()).query_async(&mut connection).await
            }
            answer => answer,
        }
    }
}

/// A server that is full must refuse what is new, as our memories do. One that forgets instead would let what was used be used again.
async fn check_memory(connection: &mut MultiplexedConnection) -> Result<(), Broken> {
    let said: String = redis::cmd("INFO").arg("memory").query_async(connection).await?;
    let is = |line: &str| said.lines().any(|said| said.trim_end() == line);
    if is("maxmemory:0") || is("maxmemory_policy:noeviction") { Ok(()) } else { Err(Broken::Forgets) }
}

//! A connection on which no wait is without end, and whose errors have their SQLSTATE.
//!
//! A server that hangs keeps its sockets open: nothing comes, nothing fails. `statement_timeout` is the server's and does not help then, so
//! the same limit is kept here too. A connection that was silent for longer, or on which a caller gave up in the middle of a statement, is
//! not lent again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{CacheSize, Instrumentation};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection, SimpleAsyncConnection,
};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_postgres::NoTls;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use crate::sqlstate::Coded;
use crate::tls::{ListeningTls, Way};
use crate::wire::{Listening, ObservedStream, WireState};

/// How long PostgreSQL may take to accept a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long a statement may take to be answered: `statement_timeout`, and time for its answer.
pub(crate) const STATEMENT: Duration = Duration::from_secs(12);

/// A peer that is gone without a word is noticed by the kernel: while nothing is sent, after 10 + 3 × 5 s; with bytes on the way, after 15 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// A connection to PostgreSQL.
pub struct Connection {
    inner: AsyncPgConnection,
    wire: Arc<WireState>,
    limit: Option<Duration>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens one. `limit` is the longest that a statement may take; without one, as long as it likes (migrations).
    pub(crate) async fn open(url: &str, limit: Option<Duration>) -> ConnectionResult<Self> {
        match tokio::time::timeout(CONNECT, Self::connect(url, limit)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(ConnectionError::BadConnection(format!("PostgreSQL did not answer within {} s", CONNECT.as_secs())))
            }
        }
    }

    async fn connect(url: &str, limit: Option<Duration>) -> ConnectionResult<Self> {
        let Way { mut config, tls } = Way::of(url)?;
        config
            .connect_timeout(CONNECT)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNACKNOWLEDGED);
        let wire = Arc::new(WireState::default());
        let inner = match (config.get_hosts().first(), tls) {
            #[cfg(unix)]
            (Some(Host::Unix(_)), Some(_)) => {
                return Err(ConnectionError::BadConnection(
                    "PostgreSQL has no TLS on a socket of this machine".to_owned(),
                ));
            }
            #[cfg(unix)]
            (Some(Host::Unix(directory)), None) => {
                // Default: PostgreSQL's own.
                let port = config.get_ports().first().copied().unwrap_or(5432);
                let socket = tokio::net::UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).await;
                let stream = ObservedStream::new(socket.map_err(|error| bad(&error))?, Arc::clone(&wire));
                let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(|error| bad(&error))?;
                tokio::spawn(connection);
                AsyncPgConnection::try_from(client).await?
            }
            (_, Some(connector)) => {
                // A server that has none is refused.
                config.ssl_mode(SslMode::Require);
                let tls = ListeningTls { connector, wire: Arc::clone(&wire) };
                let (client, connection) = config.connect(tls).await.map_err(|error| bad(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
            (_, None) => {
                // Not TLS, but where it would be: the stream goes through `Listening` from the first byte on.
                config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
                let (client, connection) =
                    config.connect(Listening(Arc::clone(&wire))).await.map_err(|error| bad(&error))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await?
            }
        };
        Ok(Self { inner, wire, limit })
    }

    /// Opens one whose statements take as long as they like, for what makes databases and waits for others.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub async fn unhurried(url: &str) -> ConnectionResult<Self> {
        Self::open(url, None).await
    }

    /// What the server said beside its answers.
    pub(crate) fn wire(&self) -> Arc<WireState> {
        Arc::clone(&self.wire)
    }

    /// True while nothing speaks against lending it again.
    pub(crate) fn is_fit(&mut self) -> bool {
        !self.wire.is_retired() && !self.inner.is_broken()
    }

    /// Runs one statement: with an end, and with the code of its error.
    async fn run<R: Send>(&self, statement: impl Future<Output = QueryResult<R>> + Send) -> QueryResult<R> {
        let mut in_flight = InFlight { wire: &self.wire, answered: false };
        let outcome = match self.limit {
            Some(limit) => match timeout_at(Instant::now() + limit, statement).await {
                Ok(outcome) => outcome,
                // The flight has not landed, so the connection is not lent again.
                Err(_) => return Err(silent(limit)),
            },
            None => statement.await,
        };
        in_flight.answered = true;
        outcome.map_err(|error| with_code(error, &self.wire))
    }
}

/// One statement under way. Dropped before its end (its caller was), it leaves an answer that nobody waits for on the connection.
struct InFlight<'a> {
    wire: &'a WireState,
    answered: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.wire.retire();
        }
    }
}

fn bad(error: &dyn std::error::Error) -> ConnectionError {
    // The innermost cause says most: "connection refused" rather than "error connecting to server".
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    ConnectionError::BadConnection(cause.to_string())
}

fn silent(limit: Duration) -> DieselError {
    let text = format!("PostgreSQL has not answered within {} s", limit.as_secs());
    DieselError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, Box::new(text))
}

fn with_code(error: DieselError, wire: &WireState) -> DieselError {
    match error {
        DieselError::DatabaseError(kind @ DatabaseErrorKind::Unknown, information) => {
            match wire.code_of(information.message()) {
                Some(code) => DieselError::DatabaseError(kind, Box::new(Coded::new(information, &code))),
                None => DieselError::DatabaseError(kind, information),
            }
        }
        other => other,
    }
}

type Rows = BoxStream<'static, QueryResult<<AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>>>;

/// The rows of a statement: they too come within the limit, or the connection is done.
fn bounded(mut rows: Rows, wire: Arc<WireState>, limit: Option<Duration>) -> Rows {
    let mut end = limit.map(|limit| (limit, Box::pin(sleep_until(Instant::now() + limit))));
    stream::poll_fn(move |cx| match (rows.poll_next_unpin(cx), &mut end) {
        (std::task::Poll::Pending, Some((limit, end))) => end.poll_unpin(cx).map(|()| {
            wire.retire();
            Some(Err(silent(*limit)))
        }),
        (row, _) => row.map(|row| row.map(|row| row.map_err(|error| with_code(error, &wire)))),
    })
    .boxed()
}

impl SimpleAsyncConnection for Connection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        SimpleAsyncConnection::batch_execute(&mut &*self, query).await
    }
}

impl SimpleAsyncConnection for &Connection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let mut inner = &self.inner;
        self.run(SimpleAsyncConnection::batch_execute(&mut inner, query)).await
    }
}

impl AsyncConnectionCore for Connection {
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type Stream<'conn, 'query> = Rows;
    type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        AsyncConnectionCore::load(&mut &*self, source)
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        AsyncConnectionCore::execute_returning_count(&mut &*self, source)
    }
}

/// Through a shared reference, so that statements can be sent together (pipelining).
impl<'a> AsyncConnectionCore for &'a Connection {
    type LoadFuture<'conn, 'query> = BoxFuture<'a, QueryResult<Self::Stream<'conn, 'query>>>;
    type ExecuteFuture<'conn, 'query> = BoxFuture<'a, QueryResult<usize>>;
    type Stream<'conn, 'query> = Rows;
    type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let this: &'a Connection = self;
        let mut inner = &this.inner;
        let statement = AsyncConnectionCore::load(&mut inner, source);
        let rows = this.run(statement);
        async move { Ok(bounded(rows.await?, Arc::clone(&this.wire), this.limit)) }.boxed()
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let this: &'a Connection = self;
        let mut inner = &this.inner;
        let statement = AsyncConnectionCore::execute_returning_count(&mut inner, source);
        this.run(statement).boxed()
    }
}

impl AsyncConnection for Connection {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(url: &str) -> ConnectionResult<Self> {
        Self::open(url, Some(STATEMENT)).await
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.inner.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl PoolableConnection for Connection {
    fn is_broken(&mut self) -> bool {
        !self.is_fit()
    }
}

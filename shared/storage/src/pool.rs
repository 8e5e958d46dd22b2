//! The connection pool, and what is set on every connection before it is used.

use std::sync::Arc;
use std::time::Duration;

use crypto::SecretString;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod};
use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
use futures_util::FutureExt;
use tokio::runtime::Handle;

use crate::connection::CONNECT;
use crate::tls::Way;
use crate::{Connection, StorageError};

/// The pool of a service's connections as its app role.
pub type Pool = deadpool::Pool<Connection>;
/// A connection on loan from the pool.
pub type Pooled = deadpool::Object<Connection>;

/// How long a request waits for a free connection before it is told to come back.
const WAIT: Duration = Duration::from_secs(5);

/// No statement, lock or forgotten transaction may hold a connection for longer than a client waits.
const SESSION: &str = "set statement_timeout = '10s'; set lock_timeout = '5s'; \
                       set idle_in_transaction_session_timeout = '10s'";

/// Makes a pool of at most `max` connections; opens none yet. Call it inside the runtime that outlives the pool.
///
/// Each connection has a task that drives its socket. It runs on the runtime that called this function, not on the
/// actix worker that happened to need a connection first: a worker that stops would take the sockets of the others
/// with it.
///
/// # Errors
///
/// The URL is none that can be used, so that a service with such a one does not start.
pub fn pool(url: &SecretString, max: usize) -> Result<Pool, StorageError> {
    Way::of(url.expose()).map_err(|error| StorageError::Unusable(error.to_string()))?;
    let url: Arc<SecretString> = Arc::new(SecretString::from(url.expose().clone()));
    let home = Handle::try_current().map_err(|error| StorageError::Unavailable(error.to_string()))?;
    let mut config = ManagerConfig::<Connection>::default();
    // A closed socket and an open transaction are noticed without asking; a test query per loan would double the
    // round trips of a short request.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let (url, home) = (Arc::clone(&url), home.clone());
        async move {
            match home.spawn(open(url)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(ConnectionError::BadConnection("the runtime is stopping".to_owned())),
            }
        }
        .boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    deadpool::Pool::builder(manager).max_size(max).build().map_err(|error| StorageError::Unavailable(error.to_string()))
}

/// A connection from the pool, for single statements; several that belong together go into [`crate::transaction()`].
pub async fn connection(pool: &Pool) -> Result<Pooled, StorageError> {
    match tokio::time::timeout(WAIT, pool.get()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(StorageError::Unavailable(describe(&error))),
        Err(_) => Err(StorageError::Busy(WAIT.as_secs())),
    }
}

/// Asks the database for a sign of life, for the readiness check.
pub async fn ping(pool: &Pool) -> Result<(), StorageError> {
    Ok(connection(pool).await?.batch_execute("select 1").await?)
}

async fn open(url: Arc<SecretString>) -> ConnectionResult<Connection> {
    let opening = async {
        let mut connection = Connection::establish(url.expose()).await?;
        connection.batch_execute(SESSION).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    };
    match tokio::time::timeout(CONNECT, opening).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(ConnectionError::BadConnection(format!("PostgreSQL did not answer within {} s", CONNECT.as_secs())))
        }
    }
}

/// The innermost cause says most: "connection refused" rather than "error connecting to server".
fn describe(error: &deadpool::PoolError) -> String {
    match error {
        deadpool::PoolError::Backend(PoolError::ConnectionError(ConnectionError::CouldntSetupConfiguration(
            diesel::result::Error::DatabaseError(_, information),
        ))) => information.message().to_owned(),
        other => other.to_string(),
    }
}

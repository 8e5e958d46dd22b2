//! What every service's `store.rs` stands on: the connection pool, transactions with retry, statements, migrations and ids.
//!
//! Invariants:
//! - a connection whose transaction did not end properly (error, panic, cancelled future) never returns to the pool;
//! - a transaction's body may run several times, and only its last run is committed;
//! - no wait for the database is without end, on either side of the connection;
//! - what the server says is judged by its SQLSTATE, never by its text;
//! - a commit whose answer was lost is [`StorageError::OutcomeUnknown`], never reported as a failure;
//! - the URL with its password is held as a secret and appears in no error and no log.
//!
//! Queries themselves live in the services, beside the tables they own.
#![warn(missing_docs)]

mod connection;
mod error;
pub mod ids;
mod migrate;
mod pool;
mod queue;
mod sqlstate;
mod statement;
mod tls;
mod transaction;
mod typed;
mod wire;

pub use connection::Connection;
pub use error::{Retry, StorageError};
pub use migrate::{migrate, newest, ready, revert};
pub use pool::{Pool, Pooled, connection, ping, pool};
pub use queue::Queue;
pub use statement::Row;
#[doc(hidden)]
pub use statement::parts;
pub use transaction::{Attempt, Limit, span, subject_transaction, transaction, transaction_within};
pub use typed::AsText;

pub use diesel_migrations::EmbeddedMigrations;

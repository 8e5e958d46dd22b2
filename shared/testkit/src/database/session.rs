//! A superuser's session, and URLs put together from a superuser's URL.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context as _, Result};
use diesel::QueryableByName;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use storage::Connection;

pub(super) struct Session(Connection);

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = diesel::sql_types::Bool)]
    held: bool,
}

impl Session {
    /// The error names no password: PostgreSQL's messages do not.
    pub(super) async fn open(url: &str) -> Result<Self> {
        Ok(Self(Connection::unhurried(url).await.context("cannot open a superuser's session in PostgreSQL")?))
    }

    pub(super) async fn run(&mut self, sql: &str) -> Result<()> {
        Ok(self.0.batch_execute(sql).await?)
    }

    /// Is there a row, and is its column `held` true?
    pub(super) async fn holds(&mut self, sql: &str) -> Result<bool> {
        let rows: Vec<Held> = diesel::sql_query(sql).load(&mut self.0).await?;
        Ok(rows.iter().any(|row| row.held))
    }
}

/// The same server, another role and database.
pub(super) fn url(server: &str, role: &str, password: &str, database: &str) -> String {
    let (_, host, query) = parts(server);
    format!("postgres://{role}:{password}@{host}/{database}{query}")
}

/// The same server and role, another database.
pub(super) fn with_database(server: &str, database: &str) -> String {
    let (user, host, query) = parts(server);
    format!("postgres://{user}@{host}/{database}{query}")
}

/// User and password, host and port, query with its question mark.
fn parts(url: &str) -> (&str, &str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("postgres", authority));
    (user, host, query)
}

/// A short random word that may stand in a name.
pub(super) fn word() -> String {
    hex::encode(crypto::random::bytes::<6>())
}

/// Writes a file that nobody else may read, in a directory that nobody else may enter.
pub(super) fn write_secret(path: &Path, content: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(content.as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_host_port_and_query() {
        let server = "postgresql://root:p%40ss@db.example:6000/postgres?sslmode=disable";
        assert_eq!(url(server, "r", "p", "d"), "postgres://r:p@db.example:6000/d?sslmode=disable");
        assert_eq!(with_database(server, "d"), "postgres://root:p%40ss@db.example:6000/d?sslmode=disable");
        assert_eq!(with_database("postgres://localhost", "d"), "postgres://postgres@localhost/d");
    }
}

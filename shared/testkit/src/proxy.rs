//! A way to a database that can be made to hang: the sockets stay open, nothing moves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A proxy in front of a PostgreSQL server. Dropped, it closes what goes through it.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    way: watch::Sender<Way>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Hanging,
    /// Open until a commit has passed; its answer and everything after it is held back.
    HangingAfterCommit,
}

impl Proxy {
    /// Starts one on a free port of the loopback interface, to where `url` leads.
    pub async fn start(url: &str) -> Result<Self> {
        let (head, rest) = url.split_once('@').context("the URL has no user")?;
        let (server, tail) = rest.split_once('/').context("the URL has no database")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("{head}@{}/{tail}", listener.local_addr()?);
        let (way, watched) = watch::channel(Way::Open);
        let server = server.to_owned();
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (server, way) = (server.clone(), watched.clone());
                connections.spawn(async move { pass(client, &server, way).await });
            }
        });
        Ok(Self { url, way, accepting })
    }

    /// The URL that leads through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing moves, in either direction.
    pub fn hang(&self) {
        self.way.send_replace(Way::Hanging);
    }

    /// The next commit reaches the server, and nothing of what the server says after it comes back.
    pub fn hang_after_commit(&self) {
        self.way.send_replace(Way::HangingAfterCommit);
    }

    /// What was held back moves on, and all the rest.
    pub fn resume(&self) {
        self.way.send_replace(Way::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(client: TcpStream, server: &str, way: watch::Receiver<Way>) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let committed = Arc::new(AtomicBool::new(false));
    let up = one_way(from_client, to_server, way.clone(), Arc::clone(&committed), true);
    let down = one_way(from_server, to_client, way, committed, false);
    tokio::try_join!(up, down).map(drop)
}

async fn one_way(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    committed: Arc<AtomicBool>,
    up: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        let bytes = buffer.get(..count).unwrap_or_default();
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        let may_pass = |way: &Way| match way {
            Way::Open => true,
            Way::Hanging => false,
            Way::HangingAfterCommit => !committed.load(Ordering::SeqCst),
        };
        drop(way.wait_for(may_pass).await.map_err(|_| ended())?);
        if up && bytes.windows(6).any(|part| part.eq_ignore_ascii_case(b"commit")) && *way.borrow() != Way::Open {
            committed.store(true, Ordering::SeqCst);
        }
        if count == 0 {
            return Err(ended());
        }
        to.write_all(bytes).await?;
    }
}

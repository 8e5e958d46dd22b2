//! A way into a network that has none: what comes in at a port goes on to another host, byte for byte. TLS passes through; nothing is read here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a connection to there may take.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections at a time for each way; more wait until one ends. Those that say nothing are ended by the services behind.
const CONNECTIONS: usize = 1024;

/// One port that leads to another host. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Way {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Way {
    /// Listens on `port` of every address (0 takes a free one); `to` is `HOST:PORT`, looked up for each connection.
    pub async fn open(port: u16, to: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
        let listener = listener.with_context(|| format!("cannot listen on port {port}"))?;
        let (address, to) = (listener.local_addr()?, to.to_owned());
        let accepting = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let to = to.clone();
                        tokio::spawn(async move {
                            if let Err(error) = pass(stream, &to).await {
                                tracing::debug!(to, cause = format!("{error:#}"), "a connection was not passed on");
                            }
                            drop(place);
                        });
                    }
                    // Of one connection, or of too many files: the next may go better, after a moment.
                    Err(error) => {
                        tracing::warn!(to, cause = %error, "a connection was not taken");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut from: TcpStream, to: &str) -> Result<()> {
    let mut onward = connect(to).await?;
    from.set_nodelay(true)?;
    onward.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut from, &mut onward).await?;
    Ok(())
}

/// Makes one connection to `to` (`HOST:PORT`) and closes it. The error says why it could not be made.
pub async fn reaches(to: &str) -> Result<()> {
    connect(to).await.map(drop)
}

async fn connect(to: &str) -> Result<TcpStream> {
    let connected = timeout(CONNECT, TcpStream::connect(to)).await;
    connected.with_context(|| format!("{to} did not answer in time"))?.with_context(|| format!("{to} is not reached"))
}

/// The address from which, in a container, the machine outside comes: that of the default route.
pub fn gateway() -> Result<IpAddr> {
    let table = std::fs::read_to_string("/proc/net/route").context("the routes of this container")?;
    gateway_in(&table).context("this container has no default route")
}

/// Out of the kernel's table: of the first route to everywhere, the gateway, its four bytes from the last to the first.
fn gateway_in(table: &str) -> Option<IpAddr> {
    let routes = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let gateway =
        routes.filter(|fields| fields.get(1) == Some(&"00000000")).find_map(|fields| fields.get(2).copied())?;
    let bytes = u32::from_str_radix(gateway, 16).ok()?.to_le_bytes(); // Lost: it is no route then.
    Some(Ipv4Addr::from(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn what_is_said_at_one_end_is_heard_at_the_other_and_a_closed_end_closes_the_other() {
        let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Way::open(0, &behind.local_addr().unwrap().to_string()).await.unwrap();
        let mut outside = TcpStream::connect(("127.0.0.1", way.address().port())).await.unwrap();
        outside.write_all(b"who").await.unwrap();
        let (mut inside, _) = behind.accept().await.unwrap();
        let mut heard = [0; 3];
        inside.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"who");
        inside.write_all(b"what").await.unwrap();
        drop(inside);
        let mut answer = String::new();
        outside.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "what");
    }

    #[test]
    fn the_gateway_is_that_of_the_default_route() {
        let table =
            "Iface\tDestination\tGateway \tFlags\neth1\t000017AC\t00000000\t0001\neth0\t00000000\t01001AAC\t0003\n";
        assert_eq!(gateway_in(table), Some("172.26.0.1".parse().unwrap()));
        assert_eq!(gateway_in("Iface\tDestination\tGateway\neth1\t000017AC\t00000000\n"), None);
    }

    #[tokio::test]
    async fn what_is_not_reached_is_said_with_its_cause() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        reaches(&address).await.unwrap();
        drop(listener);
        let error = format!("{:#}", reaches(&address).await.unwrap_err());
        assert!(error.contains("is not reached: Connection refused"), "{error}");
    }
}

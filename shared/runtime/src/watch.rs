//! What is under way on a connection, and the end of one on which nothing is.
//!
//! There are limits on a head (see `connection`) and on the pause between two requests. An answer that nobody takes has none: some thousand
//! such connections would close a listener until it is started anew. So every connection is looked at from outside: with no request under
//! way for [`IDLE`], its socket is shut.
//!
//! A request goes on when its connection is gone (see `middleware`). So it keeps the connection's place in the listener: whoever asks, hangs
//! up and asks again has no more under way than whoever stays.

use std::net::{Shutdown, TcpStream as Socket};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// Longer than the pause that is allowed between two requests.
const IDLE: Duration = Duration::from_secs(35);
const LOOK: Duration = Duration::from_secs(5);

/// How many requests of a connection are under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests(Arc<watch::Sender<usize>>);

impl Requests {
    fn are_none(&self) -> bool {
        *self.0.borrow() == 0
    }

    /// Waits until none is under way. Each has its deadline.
    pub(crate) async fn ended(&self) {
        if let Err(error) = self.0.subscribe().wait_for(|under_way| *under_way == 0).await {
            tracing::error!(cause = %error, "a connection's requests are counted by nobody");
        }
    }
}

/// What is known of a connection. It goes with the connection, and so does its hold on the socket.
struct Connection {
    socket: Socket,
    requests: Requests,
    /// Milliseconds from `opened` to the end of the last request.
    last_end: AtomicU64,
    opened: Instant,
}

impl Connection {
    /// Milliseconds since it was opened.
    fn now(&self) -> u64 {
        let elapsed = self.opened.elapsed();
        elapsed.as_secs().saturating_mul(1000).saturating_add(u64::from(elapsed.subsec_millis()))
    }

    fn is_idle(&self) -> bool {
        let idle = Duration::from_millis(self.now().saturating_sub(self.last_end.load(Ordering::Relaxed)));
        self.requests.are_none() && idle > IDLE
    }
}

/// A connection's, in its data.
#[derive(Clone)]
struct Watched(Arc<Connection>);

/// A request that is under way.
pub(crate) struct UnderWay {
    requests: Option<Requests>,
    watched: Option<Watched>,
}

/// actix's `on_connect`.
pub(crate) fn on_connect(stream: &TlsStream<TcpStream>, requests: &Requests, data: &mut Extensions) {
    data.insert(requests.clone());
    let socket = match stream.get_ref().0.as_fd().try_clone_to_owned() {
        Ok(socket) => Socket::from(socket),
        Err(error) => return tracing::error!(%error, "a connection cannot be watched"),
    };
    let opened = Instant::now();
    let connection = Arc::new(Connection { socket, requests: requests.clone(), last_end: AtomicU64::new(0), opened });
    let weak = Arc::downgrade(&connection);
    data.insert(Watched(connection));
    actix_web::rt::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(connection) = weak.upgrade() else { return };
            if connection.is_idle() {
                if let Err(error) = connection.socket.shutdown(Shutdown::Both) {
                    tracing::debug!(%error, "a connection had ended before it was shut");
                }
                return;
            }
        }
    });
}

/// Notes that a request has begun.
pub(crate) fn begin(request: &ServiceRequest) -> UnderWay {
    let requests = request.conn_data::<Requests>().cloned();
    if let Some(requests) = &requests {
        requests.0.send_modify(|under_way| *under_way += 1);
    }
    UnderWay { requests, watched: request.conn_data::<Watched>().cloned() }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(Watched(connection)) = &self.watched {
            connection.last_end.store(connection.now(), Ordering::Relaxed);
        }
        if let Some(requests) = &self.requests {
            requests.0.send_modify(|under_way| *under_way -= 1);
        }
    }
}

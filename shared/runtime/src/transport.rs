//! What never became a request. It is always counted, but logged only so often: whoever connects decides how much there would be to log.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::lines::Window;
use crate::middleware::Side;
use crate::refusal::Record;
use crate::{Clock, audit};

/// Audit lines of one listener in one second.
const LINES: u32 = 20;

/// The refusals of one listener, all its workers together.
pub(crate) struct Refusals {
    side: Side,
    clock: Arc<dyn Clock>,
    window: Mutex<Window>,
}

impl Refusals {
    pub(crate) fn new(side: Side, clock: Arc<dyn Clock>) -> Self {
        Self { side, clock, window: Mutex::default() }
    }

    /// Counts one more refusal. If there is an audit line for it, that says how many had none since the last one.
    pub(crate) fn record(&self, peer: io::Result<SocketAddr>, reason: &'static str) {
        let record = Record::new("transport", reason);
        record.count();
        let suppressed = self.window.lock().unwrap_or_else(PoisonError::into_inner).line(self.clock.unix(), LINES);
        let Some(suppressed) = suppressed else { return };
        // It may have gone before it was asked.
        let peer = peer.inspect_err(|error| tracing::debug!(cause = %error, "a connection has no address"));
        let origin = audit::Origin::of_connection(peer.ok());
        let span = tracing::info_span!(
            target: "audit",
            "connection",
            redoubt.listener = self.side.into_str(),
            network.peer.address = origin.address,
            network.peer.port = origin.port,
            user_agent.original = origin.agent,
        );
        span.in_scope(|| record.line((suppressed > 0).then_some(suppressed)));
    }
}

//! What never became a request. It is always counted, but logged only so often: whoever connects decides how much there would be to log.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

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
        let suppressed = self.window.lock().unwrap_or_else(PoisonError::into_inner).line(self.clock.unix());
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

/// One second, and what became of its lines.
#[derive(Default)]
struct Window {
    second: i64,
    lines: u32,
    suppressed: u64,
}

impl Window {
    /// Takes a line, if one is left in this second; says how many were asked for in vain since the last one.
    fn line(&mut self, second: i64) -> Option<u64> {
        if self.second != second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines == LINES {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_line_says_how_many_it_had_not() {
        let mut window = Window::default();
        // The clock may step back.
        for second in [1_800_000_000, 1_800_000_001, 1_799_999_999] {
            let told = (0..1000).filter_map(|_| window.line(second)).collect::<Vec<u64>>();
            assert_eq!(told.len(), 20);
            let before = if second == 1_800_000_000 { 0 } else { 980 };
            assert_eq!((told[0], &told[1..]), (before, [0; 19].as_slice()));
        }
    }
}

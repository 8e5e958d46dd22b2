//! Audit events: what happened that somebody may have to answer for. They are log lines of the target `audit`, always
//! on, apart from the log level.
//!
//! A refusal by a layer is exactly one line, which its record writes ([`crate::refusal`]): `event="refused" layer="message_signature"
//! reason="digest_mismatch"`. The request's and the trace's id are added by the log itself, and to these lines alone where the request came from, by which listener and by what program
//! ([`Origin`]): whoever writes a line does not have to think of it, and cannot forget it. Work that no request began has no origin.

use std::net::SocketAddr;

use actix_web::http::header::{HeaderMap, USER_AGENT};

/// Characters of a program's name of itself that are kept.
const AGENT: usize = 256;

/// The fields of a span that the audit lines inside it carry; in the words of OpenTelemetry's semantic conventions, where those have one. Such a
/// span has the target `audit`, else a quiet log has none of them.
pub(crate) const ORIGIN: [&str; 4] =
    ["redoubt.listener", "network.peer.address", "network.peer.port", "user_agent.original"];

/// Where something came from. The address is that of the socket: nobody's word is taken for another (`Forwarded` and the like).
pub(crate) struct Origin {
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    /// What the program calls itself: printable ASCII, everything else escaped, and cut. Empty if it says nothing.
    pub(crate) agent: String,
}

impl Origin {
    pub(crate) fn of_connection(peer: Option<SocketAddr>) -> Self {
        Self {
            address: peer.map(|peer| peer.ip().to_string()),
            port: peer.map(|peer| peer.port()),
            agent: String::new(),
        }
    }

    pub(crate) fn of_request(peer: Option<SocketAddr>, headers: &HeaderMap) -> Self {
        let said = headers.get(USER_AGENT).map(|value| value.as_bytes().escape_ascii().take(AGENT).map(char::from));
        // Default: the empty text, of a program that says nothing.
        Self { agent: said.map(Iterator::collect).unwrap_or_default(), ..Self::of_connection(peer) }
    }
}

/// Writes an audit event with free fields: `audit!("login", subject = %subject, outcome = "ok")`.
#[macro_export]
macro_rules! audit {
    ($event:expr $(, $($field:tt)+)?) => {
        $crate::tracing::info!(target: "audit", event = $event $(, $($field)+)?)
    };
}

//! The only way out of the system.
//!
//! One client per provider, built once. What must hold for every connection:
//! - the host is a name from a manifest, and *every* address that it resolves to passes the provider's [`AddressPolicy`];
//!   the connection goes to one of exactly these addresses, so a second look-up cannot change the answer;
//! - a look-up has a deadline, and a name server that keeps silent holds up its provider only ([`SystemNames`]);
//! - HTTPS with TLS 1.3 (1.2 only where the provider's manifest says so), the certificate under the provider's own authorities
//!   where it names them, else the system's; one that is not is an alarm and is not asked again;
//! - no redirect is followed, no proxy is used, nothing of the environment is read;
//! - an answer ends where every reader must see its end (one `Content-Length`, or chunks, never both);
//! - an answer has a bounded head and body, is not compressed, and arrives within the operation's time.

mod address;
mod alarm;
mod body;
mod client;
mod error;
mod names;
mod nat64;
mod network;
mod resolver;
mod tls;

pub use address::AddressPolicy;
pub use alarm::alarm;
pub use body::{ReceivedAnswer, check, check_framing, receive};
pub use client::{ClientError, client};
pub use error::{BodyError, EgressError};
pub use names::{Names, SystemNames};
pub use nat64::Nat64Prefix;
pub use network::{Network, NetworkError};
pub use resolver::{AddressRefused, Lookup, Resolver};

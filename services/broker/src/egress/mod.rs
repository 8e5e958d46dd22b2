//! The only way out of the system.
//!
//! One client per provider, built once. What must hold for every connection:
//! - the host is a name from a manifest, and *every* address that it resolves to passes the provider's [`AddressPolicy`];
//!   the connection goes to one of exactly these addresses, so a second look-up cannot change the answer;
//! - a look-up has a deadline, and a name server that keeps silent holds up its provider only ([`SystemNames`]);
//! - HTTPS with TLS 1.3, the certificate under the provider's own roots where it names them;
//! - no redirect is followed, no proxy is used, nothing of the environment is read;
//! - an answer has a bounded head and body, is not compressed, and arrives within the operation's time.

mod address;
mod body;
mod client;
mod names;
mod nat64;
mod resolver;

pub use address::{AddressPolicy, Network, NetworkError};
pub use body::{BodyError, depth_within, read};
pub use client::{ClientError, EgressError, client};
pub use names::{Names, SystemNames};
pub use nat64::Nat64Prefix;
pub use resolver::{AddressRefused, Lookup, Resolver};

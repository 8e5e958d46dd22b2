//! The only way out of the system.
//!
//! One client per provider, built once. What must hold for every connection:
//! - the host is a name from a manifest, and *every* address that it resolves to passes the provider's [`AddressPolicy`];
//!   the connection goes to one of exactly these addresses, so a second look-up cannot change the answer;
//! - HTTPS with TLS 1.3, the certificate under the provider's own roots where it names them;
//! - no redirect is followed, no proxy is used, nothing of the environment is read;
//! - an answer has a bounded head and body, is not compressed, and arrives within the operation's time.

mod address;
mod body;
mod client;
mod resolver;

pub use address::{AddressPolicy, Network, NetworkError};
pub use body::{BodyError, Taken, check, depth_within, take};
pub use client::{ClientError, EgressError, client};
pub use resolver::{AddressRefused, Lookup, Resolver, SystemLookup};

//! The vault: what third parties gave us to authenticate with, sealed in the database, opened in this process only.
//!
//! Each version of a secret is an envelope record (AES-256-GCM under a data key of its own; see `crypto::envelope`) that
//! authenticates provider, id and version: a record moved to another row, or an old one put over a new one, does not open.
//!
//! Rotation without downtime: two versions are live at once. Requests go out with the newest; one that the provider refuses as
//! unauthenticated is sent again with the other (so both orders work: provider first or us first). Webhooks verify under
//! either. Sealing a third version retires the first, and retiring destroys its record.
//!
//! - [`seal`]: `broker seal-secret`, the only writer, under the migrator's rights;
//! - [`vault`]: reading, with a cache that lives for seconds.

pub mod command;
pub mod seal;
mod store;
pub mod vault;

pub use vault::{Live, Vault, VaultError};

/// What a record is for, in its authenticated context.
pub(crate) fn purpose(provider: &str) -> String {
    format!("provider/{provider}")
}

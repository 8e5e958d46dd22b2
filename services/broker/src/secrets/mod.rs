//! The vault: what third parties gave us to authenticate with, sealed in the database, opened in this process only.
//!
//! Each version of a secret is an envelope record (AES-256-GCM under a data key of its own; see `crypto::envelope`) that
//! authenticates provider, id, version and its [`place`]: a record moved to another row, an old one put over a new one, or a
//! provider that is said to live elsewhere, does not open. A whole old row brought back is below the [`floor`].
//!
//! Rotation without downtime: two versions are live at once. Requests go out with the newest; one that the provider refuses as
//! unauthenticated is sent again with the other (so both orders work: provider first or us first). Webhooks verify under
//! either. Sealing a third version retires the first, and retiring destroys its record.
//!
//! A secret that is retired leaves the process with its cache entry: what holds it is cleared when dropped, buffers of the
//! libraries below are cleared when freed (`main.rs` sets an allocator that does), and the connections that carried it are closed.
//!
//! - [`place`]: what a secret is for; [`floor`]: which versions may be used;
//! - [`seal`]: `broker seal-secret`, the only writer, under a role that has this one table and no other right;
//! - [`vault`]: reading, with a cache that lives for seconds.

pub mod command;
pub mod floor;
pub mod place;
pub mod seal;
mod store;
pub mod vault;

pub use place::SecretPlace;
pub use vault::{Keys, Live, Vault, VaultError};

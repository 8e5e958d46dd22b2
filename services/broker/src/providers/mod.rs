//! Providers: the third parties that the broker may talk to, each described by a manifest.
//!
//! A caller names `provider/operation` and gives typed parameters; everything that decides where a request goes and what
//! comes back (host, method, path, secret, allowed answer fields) stands in the manifest. There is no way to pass a URL.
//!
//! - [`manifest`]: the file as written;
//! - [`parameter`]: the types of parameters, and the check of one call;
//! - [`body`]: what the provider calls them;
//! - [`mod@format`]: how an answer is written;
//! - [`document`]: an answer or a webhook as it was written;
//! - [`fields`]: which fields of it pass, and as what;
//! - [`word`]: which answers count as the provider's word on an order;
//! - [`webhook`]: which events it tells us, and what they mean;
//! - [`path`]: where something stands in a JSON text;
//! - [`catalogue`]: manifests and deployment settings, checked and compiled once at start.

mod body;
pub mod catalogue;
pub mod document;
pub mod fields;
pub mod format;
pub mod manifest;
pub mod parameter;
pub mod path;
mod strict;
pub mod webhook;
pub mod word;

pub use catalogue::{Catalogue, CatalogueError, Operation, Provider};
pub use webhook::Webhook;

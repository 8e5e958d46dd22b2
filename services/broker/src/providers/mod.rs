//! Providers: the third parties that the broker may talk to, each described by a manifest.
//!
//! A caller names `provider/operation` and gives typed parameters; everything that decides where a request goes and what
//! comes back (host, method, path, secret, allowed answer fields) stands in the manifest. There is no way to pass a URL.
//!
//! - [`manifest`]: the file as written;
//! - [`parameter`]: the types of parameters, and the check of one call;
//! - [`fields`]: which fields of an answer pass;
//! - [`word`]: which answers count as the provider's word on an order;
//! - [`catalogue`]: manifests and deployment settings, checked and compiled once at start.

pub mod catalogue;
pub mod fields;
pub mod manifest;
pub mod parameter;
pub mod word;

pub use catalogue::{Catalogue, CatalogueError, Operation, Provider};

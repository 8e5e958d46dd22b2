//! Pushed authorization requests (RFC 9126): the only way in.
//!
//! Everything about a request is checked here, where the client is authenticated, and nothing of it travels through the
//! browser; so at `/authorize` there is nothing left to get wrong, and no open redirector.

pub mod http;
mod model;
mod push;
pub(crate) mod store;

pub use model::AuthorizationRequest;
pub(crate) use model::check_resource;
pub use push::{LIFETIME, Pushed, push};

//! The service from outside: on real sockets, with a real database.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod notes;
mod roles;
mod service;
mod world;

//! The runtime over real sockets: a probe service with generated certificates, asked from outside.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod closing;
mod connections;
mod credentials;
mod hanging_up;
mod lifecycle;
mod pki;
mod probe;
mod problems;
mod receiver;
mod refusals;
mod telemetry;
mod transport;

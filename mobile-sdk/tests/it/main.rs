//! The SDK on a software phone against a test server on real sockets: TLS 1.3, HTTP/1.1, and the server halves of
//! `identity` for everything that the real services verify.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod approve;
mod backend;
mod calls;
mod enroll;
mod evidence;
mod login;
mod on_the_way;
mod outcome;
mod phone;
mod pins;
mod reenroll;
mod sealed;
mod server;
mod session;
mod switches;
mod takeover;
mod tries;
mod world;

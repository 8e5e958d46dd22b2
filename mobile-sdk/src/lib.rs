//! The app's side of Redoubt: a thin client that proves *what* calls and *who* calls, and signs what it says.
//!
//! Nothing in an app is secret, so there is no secret here and no business rule: the server decides everything. What the
//! SDK does is the part that only the phone can do: make the device key, gather evidence, log in through the system
//! browser, bind every request to key, token and session, and refuse channels and answers that are not proven to be ours.
//!
//! Invariants:
//! - TLS 1.3, own trust anchors, pins on the verified path; an expired or missing pin set refuses;
//! - the device key never leaves the phone; the session key never leaves memory;
//! - a new instance takes the old one's place at once or not at all: whatever fails before leaves the old one as it was;
//! - every attempt has a proof and a signature of its own; every attempt of one intent has the same idempotency key;
//! - an outcome that is not known is called that;
//! - no code for an operating system: what differs is behind the traits of [`platform`].
//!
//! Reading order: [`Config`] and [`platform`], `client.rs`, then what happens in turn: `enroll.rs`
//! (`instances.rs`), `login.rs` (`metadata.rs`, `oauth.rs`), `request.rs`, `calls.rs`, `approve.rs`, `reenroll.rs`; beneath them `transport.rs`, `tls.rs`, `pins.rs`.
#![warn(missing_docs)]

mod approve;
mod call;
mod calls;
mod client;
mod config;
mod discovery;
mod enroll;
mod error;
mod instances;
mod login;
mod meaning;
mod metadata;
mod oauth;
pub mod pins;
pub mod platform;
mod reenroll;
mod request;
mod session;
mod single_flight;
mod step_up;
mod tls;
mod tokens;
mod trace;
mod transport;

pub use call::{IdempotencyKey, Response};
pub use client::Client;
pub use config::{Config, REENROLL_AFTER, Retry};
pub use error::Error;
pub use pins::{HostPins, Pin, PinSet};
pub use platform::{
    Attestor, Browser, CallRecord, Clock, DeviceKeys, KeySlot, Observer, Platform, PlatformError, Store, SystemClock,
};
pub use step_up::StepUp;

/// Types of other crates that stand in this one's interface.
pub use {reqwest::Method, rustls_pki_types::CertificateDer, url::Url};

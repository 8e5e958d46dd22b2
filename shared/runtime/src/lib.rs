//! What every process needs and none should build twice: configuration, TLS, listeners, telemetry, health,
//! problem+json, clients for the other services, and an orderly end.
//!
//! A service implements [`Service`] and has a `main` of one line, [`run()`]. Tests start the same thing in their own process
//! with [`start`].
//!
//! Invariants:
//! - TLS 1.3 only; on the internal listener nobody without a certificate of the internal authority gets to HTTP;
//! - every connection prefers the post-quantum hybrid; a renewed certificate is shown without a restart;
//! - every answer has a `Request-Id`, every refusal is problem+json, or a page where people read it; no answer is cached unless its route says so;
//! - the incoming `traceparent` decides the trace's id and nothing else;
//! - secrets come from files and have no way into a log line: their type does not print;
//! - the environment and the clock are read here and nowhere else.
#![warn(missing_docs)]

pub mod audit;
mod clients;
mod clock;
pub mod config;
mod connection;
mod continuing;
pub mod contract;
pub mod cookies;
pub mod courier;
mod credentials;
pub mod extract;
pub mod form;
mod handler;
mod heads;
pub mod health;
pub mod http;
mod incoming;
mod lines;
mod listener;
pub mod metrics;
mod middleware;
mod objects;
mod openapi;
pub mod operator;
mod outliving;
pub mod pages;
mod peer;
pub mod places;
mod problem;
mod reference;
pub mod refusal;
mod run;
mod server;
mod service;
mod shutdown;
mod single;
mod sweep;
pub mod telemetry;
mod teller;
pub mod tls;
pub mod trace;
mod transport;
mod watch;

pub use clients::Clients;
pub use clock::{Clock, SystemClock};
pub use config::Common;
pub use cookies::{CookieError, Cookies};
pub use courier::{Courier, Job};
pub use extract::{ApiJson, configure as configure_extractors};
pub use form::{ApiForm, OwnForm};
pub use handler::{Refuse, with_refusals};
pub use health::Check;
pub use middleware::{RequestId, complete_problem};
pub use peer::PeerId;
pub use problem::Problem;
pub use reference::Reference;
pub use refusal::{Record, Refusal, Who};
pub use run::run;
pub use server::{Running, start};
pub use service::{App, Background, Configure, Context, RouteDoc, Service};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use single::Single;
pub use sweep::sweep;
pub use teller::{Teller, Told};

/// HTTP vocabulary for a service's `error.rs`, which maps to statuses and knows nothing else of the web framework.
pub use actix_web::http::{StatusCode, header};

// For the macros, and so that a service names the versions that the runtime was built with.
pub use tracing;

//! What tests and the demonstration stand on: databases with the roles of the house, a development PKI, emulated phones and stand-ins for the
//! world outside. Never a dependency of a service's own code.
#![warn(missing_docs)]

pub mod audit;
pub mod authority;
pub mod browser;
pub mod captcha;
pub mod clock;
pub mod collector;
#[cfg(feature = "docker")]
mod container;
pub mod database;
pub mod door;
pub mod drip;
pub mod edge;
pub mod forward;
pub mod fuzz;
pub mod interception;
pub mod missing;
pub mod pages;
pub mod partner;
pub mod partner_web;
pub mod passkey;
pub mod phone;
pub mod pki;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod scene;
pub mod schema;
pub mod server;
pub mod signing;
pub mod tools;
pub mod waf;

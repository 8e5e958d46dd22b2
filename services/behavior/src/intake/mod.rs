//! Intake: what the services say has happened, stored once for each id. What is stored is learned by the one fold ([`crate::state`]), never from here.

pub(crate) mod http;
mod model;
mod store;
mod take;

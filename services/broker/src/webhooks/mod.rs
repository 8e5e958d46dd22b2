//! Webhooks in: what third parties tell us, believed only when signed, acted on only once.
//!
//! - [`http`]: raw bytes in, verified ([`signature`]), stored, acknowledged with 202: in this order;
//! - [`store`]: the inbox; `(provider, event id)` is unique, so a replay finds what is there and changes nothing;
//! - [`event`]: what an event means inside the house;
//! - [`courier`]: takes it to the ledger, for as long as it takes, in the trace that its arrival began;
//! - [`command`]: what was rejected, for a person: to look at, and to deliver again.

pub mod command;
pub mod courier;
pub mod event;
pub mod http;
pub mod receive;
pub mod signature;
mod store;

//! Decisions: what was thought of each payment that was asked about, with all that it rests on, so that it can be made anew ([`explain`]).

pub mod explain;
pub(crate) mod http;
mod model;
mod store;
pub(crate) mod writer;

pub(crate) use model::Decision;
pub(crate) use store::{Found, read};

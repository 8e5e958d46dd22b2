//! Transfers between two accounts in the house.

pub mod http;
pub mod post;
pub(crate) mod store;

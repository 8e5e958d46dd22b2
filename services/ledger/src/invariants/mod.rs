//! What must always hold, counted by the database from the rows themselves. For the operator.

pub mod http;
pub(crate) mod store;

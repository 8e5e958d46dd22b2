//! Labels: what people say a payment turned out to be. The last word counts, from the moment at which it is said.

pub(crate) mod http;
mod label;
mod store;

pub(crate) use label::label;

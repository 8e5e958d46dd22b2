//! `/consent`.

pub mod http;

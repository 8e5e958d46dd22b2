//! `/authorize`.

pub mod http;

//! The part of an authorization that happens in a browser.
//!
//! The browser brings a `request_uri` and gets a cookie: an *interaction*. Who is logging in, and what was asked, is kept
//! here and never in the page. Invariants:
//! - a form counts only from the browser that holds the cookie, from our own page, and with that page's token;
//! - each interaction has a cookie of its own, named in the address of its pages, so that two tabs do not meet;
//! - the cookie changes at login (no fixation), and ends when the request is answered;
//! - a request is answered once, whoever else may hold its `request_uri`;
//! - there is no session beyond the interaction: each authorization authenticates the person anew.

mod answer;
mod authenticated;
mod begin;
mod handle;
pub mod http;
mod interaction;
pub(crate) mod store;

pub use answer::{Answer, location};
pub use authenticated::Authenticated;
pub use begin::{Begun, begin};
pub use handle::{COOKIE_PREFIX, Handle};
pub use interaction::{Interaction, LIFETIME};

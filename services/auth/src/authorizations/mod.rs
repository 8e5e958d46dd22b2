//! One authorization, from a client's request to its code: request → interaction → grant → code.
//!
//! A client pushes a request (RFC 9126), which is the only way in: everything about it is checked where the client is
//! authenticated, and nothing of it travels through the browser; so at `/authorize` there is nothing left to get wrong, and no
//! open redirector. A browser brings the request's name and gets a cookie: an *interaction*. The person in front of it answers,
//! and the client redeems the code.
//!
//! What the service consists of is allowed or denied as a whole; what the client would like to know of the person is given by a tick
//! for each, and no box is ticked before (Regulation (EU) 2016/679, recital 32). Nothing is remembered from one request to the
//! next: each is asked anew, and a grant is what was given then.
//!
//! A client may ask for the approval of one payment instead (`authorization_details`): then the person sees that payment and not what a client may do, and the
//! grant is for it alone and over within minutes.
//!
//! Invariants:
//! - a request for a payment is answered by the approval of that payment or by a no, and no other request is;
//! - whoever has a second factor answers nothing without it; a payment's is asked for where the payment is shown;
//! - a form counts only from the browser that holds the cookie, from our own page, and with that page's token;
//! - each interaction has a cookie of its own, named in the address of its pages, so that two tabs do not meet;
//! - the cookie changes at login (no fixation), and ends when the request is answered;
//! - a request is answered once, whoever else may hold its `request_uri`: the answer, the grant and the code are written in one
//!   transaction that also uses the request up;
//! - a code is used up by one UPDATE, so of many uses at once one wins; a second use revokes the grant;
//! - there is no session beyond the interaction: each authorization authenticates the person anew.

mod answer;
mod approval;
mod authenticated;
mod begin;
mod details;
mod handle;
pub mod http;
mod interaction;
mod location;
mod push;
mod redeem;
mod request;
mod store;

pub use answer::{ConsentDecision, answer, deny};
pub use approval::{Approval, Said, approve, describe, show};
pub use authenticated::{Authenticated, Known};
pub use begin::{Begun, begin};
pub use handle::{COOKIE_PREFIX, Handle};
pub use interaction::{Interaction, LIFETIME};
pub use push::{Pushed, push};
pub use redeem::{Redeemed, redeem};
pub use request::AuthorizationRequest;
pub(crate) use request::check_resource;

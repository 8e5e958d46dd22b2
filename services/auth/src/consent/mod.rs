//! The person's answer: what this client may do in their name, or nothing.
//!
//! What the service consists of is allowed or denied as a whole; what the client would like to know of the person is given by a tick
//! for each, and no box is ticked before (Regulation (EU) 2016/679, recital 32). Nothing is remembered from one request to the
//! next: each is asked anew, and a grant is what was given then.
//!
//! Invariant: the answer, the grant and the code are written in one transaction that also uses the
//! request up, so one request has one answer.

mod decide;
pub mod http;

pub use decide::{Decision, decide};

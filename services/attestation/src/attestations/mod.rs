//! Attestations and assertions: evidence in, tokens out; and always an answer of one shape.
//!
//! In this order, checks before effects: the request is read and the device key's possession proven ([`Presented`]) → the
//! challenge is taken → the evidence is examined → one transaction records instance, evidence and verdict → tokens are issued,
//! genuine or decoy ([`Issuer`]).
//!
//! What is refused honestly (4xx) says nothing of the phone's integrity: a malformed request, a proof that does not fit, an unknown
//! challenge, an unknown instance. Everything else ends in an answer, and only the operator learns which kind it was. Stickiness
//! follows a device key that has signed the very evidence, so nobody can have somebody else's instance decoyed, on the way or otherwise.

mod answer_slots;
mod assert;
mod attest;
pub(crate) mod http;
mod issue;
mod presented;

pub(crate) use answer_slots::AnswerSlots;
pub(crate) use assert::assert;
pub(crate) use attest::attest;
pub(crate) use issue::{Issuer, Names};
pub(crate) use presented::Presented;

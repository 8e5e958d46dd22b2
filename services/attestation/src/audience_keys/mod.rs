//! Audience keys: the secrets that a verifier checks tokens with, for the verifier itself and nobody else.
//!
//! A peer gets the keys of the audience that has its own name; there is no parameter to ask for another one with. Decoy secrets are
//! not derived from the same master; an audience's own go to it apart, so that it knows who uses a decoy.

pub(crate) mod http;

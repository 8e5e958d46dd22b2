//! What a person shows beside the password: a code of their authenticator app (RFC 6238), or one of the codes on paper that stand in for it.
//!
//! Invariants:
//! - a try is counted before its code is looked at, under the person's own count of failures, which a right password does not clear;
//! - a step of the app is used once and a recovery code is used once: each by one conditional statement, and the database lets no step come back;
//! - the app's secret is sealed in the database; recovery codes are found by a keyed hash. Both are shown once, to whom they are made for;
//! - a person has one app at most, and recovery codes only beside it.

mod manage;
mod method;
mod recovery;
mod store;
mod totp;
mod verify;

pub use manage::{Enrolled, Enrolling, State, begin, enroll, remove, renew, state};
pub use method::SecondFactor;
pub(crate) use store::is_enrolled;
pub use verify::{Verdict, verify};

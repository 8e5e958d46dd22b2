//! What a person shows beside the password: a code of their authenticator app (RFC 6238), a passkey (`WebAuthn`), or one of the codes on paper that stand in for
//! either.
//!
//! Invariants:
//! - a try is counted before its code is looked at, under the person's own count of failures, which a right password does not clear; what nobody guesses
//!   (a recovery code, a passkey) neither waits for that count nor adds to it, and a passkey does not begin it anew;
//! - a step of the app is used once, a recovery code is used once and a challenge is used once: each by one statement, and the database lets no step and no
//!   counter come back;
//! - a challenge is of one interaction, one person and one thing, and what it is for goes into it;
//! - the app's secret and the passkeys' names are sealed in the database; recovery codes are found by a keyed hash. Secret and codes are shown once, to whom they
//!   are made for;
//! - a person has one app and five passkeys at most, and recovery codes only beside them; what changes them is done one after the other,
//!   and what removes one, or renews the codes, ends the person's other sign-ins.

mod audit;
mod ceremony;
mod manage;
mod method;
mod passkeys;
mod recovery;
mod store;
mod totp;
mod verify;

pub use ceremony::{About, Asked, Ceremony, ask};
pub use manage::{Enrolled, Enrolling, Proposed, State, begin, enroll, remove, remove_all, renew, state};
pub use method::SecondFactor;
pub use passkeys::{Added, LONGEST_NAME, MOST, Passkey, add, remove_passkey};
pub(crate) use store::is_enrolled;
pub use verify::{Shown, Verdict, verify};

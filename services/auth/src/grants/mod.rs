//! What a person has allowed a client to do in their name, for as long as it holds.
//!
//! A *grant* is the consent and the root of everything issued under it: one code, one refresh token, access tokens. Revoking
//! it ends them all.
//!
//! Invariants:
//! - an [`Entitlement`] is made only by redeeming a code or a refresh token;
//! - a refresh token works for its client only, and on a phone for its device key only; it is not rotated (FAPI 2.0 §5.3.2.1, item 11), because
//!   a lost answer must not log anybody out and a stolen token is of no use without the key.

pub(crate) mod command;
mod entitlement;
mod refresh_token;
mod store;

pub use entitlement::{Entitlement, PAYMENT_LIFETIME, grant_of};
pub(crate) use refresh_token::{is_well_formed, mint};
pub(crate) use store::instances::{note, since};
pub(crate) use store::{Bearer, NewGrant, bind, entitlement, insert, is_live, knows_device, revoke, use_refresh_token};

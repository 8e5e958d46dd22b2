//! Payouts: money out of the house, through the broker and a partner bank.
//!
//! `pending` → `submitted` → `paid` or `failed`. The money leaves the account and the order is written in one transaction; [`courier`]
//! takes the order to the broker as often as it takes (the payout's id is the partner's idempotency key); the partner's word ends it
//! ([`close`]), once, one way: onwards to settlement, or back to the account.

/// The partner bank that carries payouts out: the broker's provider of that name.
pub const PROVIDER: &str = "sandbox-bank";

pub mod close;
pub mod courier;
pub mod http;
pub mod iban;
pub mod order;
pub(crate) mod store;

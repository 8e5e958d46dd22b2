//! Payouts: money out of the house, through the broker and the partner bank that the configuration names ([`crate::providers`]).
//!
//! `pending` → `submitted` → `paid` (→ `returned`) or `failed`. The money leaves the account and the order is written in one transaction;
//! [`courier`] takes the order to the broker as often as it takes (the payout's id is the partner's idempotency key) and asks where it stands when
//! no word comes; the partner's word ends it ([`events`]), once, one way: onwards to settlement, or back to the account. What may have reached the
//! partner stays unknown until a positive word ends it ([`history`]); unknown for too long is an alarm ([`watch`]).

pub mod cancel;
pub mod command;
pub mod courier;
pub mod events;
pub mod history;
pub mod http;
pub mod order;
pub mod partner;
mod read;
pub(crate) mod store;
mod watch;

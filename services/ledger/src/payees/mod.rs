//! Payees: to whom at other banks an owner pays. A payout names one of them, and says its name and IBAN.
//!
//! What a payee is never changes; it is removed, once. One that is not removed is the only one of its owner with that IBAN, and an owner has 200 of them at
//! most: the database says so, in the transaction that adds one. That a payout goes to a payee of its owner who is not removed is said again in the
//! transaction that posts it, and that all payouts to one who is new are together no more than its [`terms`] allow.
//!
//! Whether its account belongs to its name is asked when one is added ([`confirm`]), and again before a payout if nobody has answered. The answer moves no money
//! and stops none; a payout to an account that belongs to somebody else takes its payer's approval, however small it is.

pub mod add;
pub mod confirm;
pub mod http;
pub mod iban;
pub mod list;
pub mod names;
pub mod remove;
pub(crate) mod store;
pub mod terms;
pub mod unseal;
pub mod word;

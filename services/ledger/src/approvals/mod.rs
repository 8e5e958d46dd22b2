//! A payer's approval of one payment, exactly as it is (dynamic linking: Regulation (EU) 2018/389, Article 5). The other half is in `auth`, which shows
//! the payment and has its payer approve it; what travels between them is in [`api::approvals`].
//!
//! What holds:
//! - a payment of more than the low value posts nothing without its payer's approval ([`demand::post`]); money between accounts of one owner needs none
//!   (Article 15), nor does what is asked again after it was decided;
//! - those that need none are written down with what exempts them, and small ones add up until one is approved, in the database ([`store::exemptions`]);
//! - an instance of the app that is new to its user moves little to others: above that it takes an approval by a second factor that the user has had for long
//!   ([`new_instance`]), and the database adds up ([`store::new_instances`]);
//! - what is approved is one order under one key: another amount, currency, payee, account or reference is another order;
//! - an approval is used up by the transfer that is posted with it, in its transaction, by a key of the database ([`store::Used`]); of many that try, one
//!   transfer comes to be;
//! - an approval that is refused or belongs to somebody else says no more than that the caller may not; one that has expired is asked for anew, but
//!   for one that expires while its order is queued.

pub mod demand;
pub(crate) mod forget;
pub mod http;
pub mod low_value;
mod met;
pub mod new_instance;
pub(crate) mod store;

//! What the behavior analytics think of a payment, asked before its money moves ([`Asker`]).
//!
//! What holds:
//! - in shadow: whatever they say, and if they say nothing, the money moves as it would have; the word is noted on the request and written with the posting;
//! - a payment waits for a word for as long as the configuration says (20 ms), and not at all while they are away ([`circuit`]);
//! - it costs no call of its own and no round trip of its own: payments that wait share a call ([`Asker`]), and the word is a row beside the posting
//!   ([`store`]), written with one statement for all of a batch;
//! - nobody is named, and a payment is asked about under the names that it is told under afterwards ([`crate::outbox`]);
//! - moving money among one's own accounts is no payment. Whose an account is never changes (the database refuses it), so it is remembered
//!   ([`owners`]), and read, for all that wait, only of an account that this process has not met. That is why the payee stays the owner, and not the
//!   account: whoever is known for fraud would be unknown again with every account that is opened.
//!
//! A request that is sent again is asked about again: whether it was there before, only the posting knows. That decision is about no payment.

mod ask;
mod asker;
mod circuit;
mod model;
mod owners;
mod store;

pub use self::ask::{To, ask_first};
pub(crate) use self::asker::CALLS;
pub use self::asker::{Asker, Work};
pub use self::model::{Answer, Judged, Payee, Payment};

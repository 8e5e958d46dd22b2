//! What the behavior analytics think of a payment, asked before its money moves ([`Asker`]).
//!
//! What holds:
//! - they ask, and refuse nothing: a payment that they are wary of takes its payer's approval, however small it is ([`Caution`]), and then it moves. Where
//!   the configuration says that their word does not count, it is noted only;
//! - whoever has no word goes on by the rules that hold without them: above the low value the payer is asked anyway ([`crate::approvals`]);
//! - the word is noted on the request, and written with the posting if there is one;
//! - a payment waits for a word for as long as the configuration says (20 ms), and not at all while they are away ([`circuit`]);
//! - it costs no call of its own and no round trip of its own: payments that wait share a call ([`Asker`]), and the word is a row beside the posting
//!   ([`store`]), written with one statement for all of a batch;
//! - nobody is named, and a payment is asked about under the names that it is told under afterwards ([`crate::outbox`]);
//! - moving money among one's own accounts is no payment. Whose an account is never changes (the database refuses it), so it is remembered
//!   ([`owners`]), and read, for all that wait, only of an account that this process has not met. That is why the payee stays the owner, and not the
//!   account: whoever is known for fraud would be unknown again with every account that is opened.
//!
//! A payment that comes back approved is not asked about again: what was thought of it when its payer was asked is written with its posting
//! ([`crate::approvals`]). A request that is sent again without an approval is: whether it was there before, only the posting knows. That decision is about no
//! payment.

mod ask;
mod asker;
mod circuit;
mod model;
mod owners;
mod store;

pub use self::ask::{Opinion, ask_first, once_bitten, recall};
pub(crate) use self::asker::CALLS;
pub use self::asker::{Asker, Work};
pub use self::model::{Answer, Caution, Judged, Payee, Payment};

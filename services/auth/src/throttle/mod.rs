//! How often somebody may fail: with a password, and with what is shown beside it. A try is counted before it is looked at.

mod counter;
mod store;

pub(crate) use counter::Blocked;
pub(crate) use store::{attempt, reset, undo_attempt};

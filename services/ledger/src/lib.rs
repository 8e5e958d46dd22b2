//! The ledger.
//! (under construction)
pub mod posting;

//! What the layers remember: what was used once ([`Once`]) and how often things were done ([`Counters`]).
//!
//! Each of the two has a memory of this process ([`MemoryOnce`], [`MemoryCounters`]) and one that all processes of a service share in Redis or
//! Valkey ([`redis`]). What holds for all four:
//! - of any number of parallel claims of one key one wins, and of parallel demands on one limit no more than it allows; over all processes that share
//!   a store, and in memory over this one;
//! - each class of keys has room of its own, and nothing that still counts is forgotten for the sake of something new: who fills a class, or an
//!   owner's part of it, costs that class or owner new keys, and nobody else anything;
//! - with a memory of the process beside the shared store ([`Beside`]), a route that may go on alone is decided by that where the store cannot tell;
//! - what cannot be told, because a store is full, away or late, is said to be unknown, with a reason. It is never guessed: a route's policy says what
//!   it means;
//! - keys and owners stand nowhere but as hashes ([`Names`](crate::names)).

mod beside;
mod counters;
mod memory;
mod once;
pub mod redis;

pub use beside::Beside;
pub use counters::Counters;
pub use memory::{MemoryCounters, MemoryOnce};
pub use once::{Claim, Claimed, Once, OnceClass};

#[cfg(test)]
mod debt_tests;

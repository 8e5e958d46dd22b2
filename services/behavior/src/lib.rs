//! The behavior analytics: how does this user act, and does this payment look like it?
//!
//! What is here is the engine: it folds what happened into [`profiles`], looks at a payment beside them ([`features`]), and judges what it sees by a trained
//! [`model`] and by [`rules`] that people write, with a score and with reasons in words. It listens to nobody yet: no process of the system asks it.
//!
//! Invariants:
//! - a payment is looked at beside what was known *before* it, and learned afterwards;
//! - a profile is bounded: nobody makes it grow by paying often, and nobody makes it usual at once by paying much;
//! - what became known of fraud counts from the moment when it became known, never from the payment on;
//! - a model or a rule that asks for what this build does not know is refused when it is read, with both versions named;
//! - a score is no verdict: it asks, or it delays. Money is never refused because of it alone.

pub mod action;
pub mod backtest;
pub mod events;
pub mod features;
pub mod judgement;
pub mod model;
pub mod profiles;
pub mod rules;

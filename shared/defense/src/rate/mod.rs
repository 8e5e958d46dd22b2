//! Rate limits: how often somebody may do something, and how much of it at once.
//!
//! A [`Limit`] has a [`Quota`] of units for each key of its [`LimitClass`]. A request makes several [`Demand`]s at once, of its address, its device,
//! its user, its route; a [`Counters`](crate::stores::Counters) meets all of them or takes nothing. What is counted only when it fails (a wrong
//! password, a malformed request) has a limit of its own, which the request only looks at and the answer is charged to. [`Concurrency`] bounds what
//! is under way at the same time.

mod concurrency;
mod fields;
mod limit;
mod prefix;
mod quota;
mod taken;

pub use concurrency::{Concurrency, Entry, Permit, Places};
pub use fields::Fields;
pub use limit::{Allowance, Demand, Limit, LimitClass, Reading, Refund};
pub use prefix::AddressPrefix;
pub use quota::{Moment, Quota, SteadyClock};
pub use taken::Taken;

//! How often things were done.

use futures_util::future::BoxFuture;

use crate::rate::{Allowance, Demand, Moment, Refund, Taken};

/// Counts against limits.
///
/// `now` is what a memory of this process counts by. A store that several processes share counts by its own clock, because theirs differ.
pub trait Counters: Send + Sync {
    /// Whether these demands would be met, all of them. Takes nothing.
    fn examine<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance>;

    /// Meets all these demands, or takes nothing.
    fn take<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance>;

    /// As `examine`, where what this process has counted by itself does if nothing else can tell.
    fn examine_alone<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        self.examine(demands, now)
    }

    /// As `take`, where what this process has counted by itself does if nothing else can tell.
    fn take_alone<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Allowance> {
        self.take(demands, now)
    }

    /// Takes what is demanded whether or not it is there: for what has happened already, such as a wrong password. The debt ends on its own
    /// ([`Quota`](crate::rate::Quota)), and is bounded: the answer says what was really taken, in the order of the demands. An error says why nothing
    /// was noted.
    fn charge<'a>(&'a self, demands: &'a [Demand<'a>], now: Moment) -> BoxFuture<'a, Result<Vec<Taken>, &'static str>>;

    /// Gives back what was taken before it was known whether it would be owed, such as the price of a wrong password that was right. Never more is
    /// there than all units. An error says why nothing was given back.
    fn give_back<'a>(&'a self, refunds: &'a [Refund<'a>], now: Moment) -> BoxFuture<'a, Result<(), &'static str>>;
}

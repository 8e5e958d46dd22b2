//! What happened, as the engine takes it: the input of every profile.

/// Seconds since 1970-01-01 00:00 UTC, by the clock of the service that saw it happen.
pub type Seconds = i64;

/// One minute.
pub const MINUTE: Seconds = 60;
/// One hour.
pub const HOUR: Seconds = 60 * MINUTE;
/// One day.
pub const DAY: Seconds = 24 * HOUR;
/// One week.
pub const WEEK: Seconds = 7 * DAY;

/// A user or a payee: the first 64 bits of a digest of its id. Profiles count by them and never show them.
pub type Key = u64;

/// A user pays somebody.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payment {
    /// When.
    pub at: Seconds,
    /// Who pays.
    pub user: Key,
    /// Who is paid.
    pub payee: Key,
    /// How much, in major units of its currency (12.34). A figure for statistics: no money is made of it.
    pub amount: f64,
}

impl Payment {
    /// The greatest amount that statistics count with: one absurd figure must not become everybody's deviation.
    pub const AMOUNT_LIMIT: f64 = 1e12;

    /// The amount as statistics take it, between 0 and [`Self::AMOUNT_LIMIT`]. What is no number counts as the limit: it is never the usual.
    #[must_use]
    pub fn counted(&self) -> f64 {
        if self.amount.is_nan() { Self::AMOUNT_LIMIT } else { self.amount.clamp(0.0, Self::AMOUNT_LIMIT) }
    }
}

/// Somebody who knows says that a payment was fraud: an analyst, the bank's complaints desk, a card scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraud {
    /// When the payment was made, not when it became known.
    pub paid_at: Seconds,
    /// Who was paid.
    pub payee: Key,
}

/// A count of seconds or days as a figure. Exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures of statistics; seconds and days are far below 2^53")]
pub(crate) fn figure(count: i64) -> f64 {
    count as f64
}

//! What pages say of figures, times and choices.

use chrono::{DateTime, Utc};

use crate::events::Key;

/// A moment, in UTC.
pub(super) fn time(at: &DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M:%S").to_string()
}

/// Under what a user or a payee is counted.
pub(super) fn key(key: Key) -> String {
    format!("{key:016x}")
}

/// How likely it is fraud.
pub(super) fn likely(score: f64) -> String {
    format!("{:.1} %", score * 100.0)
}

/// A figure with two digits at most, and none that say nothing; thousands and more in short.
pub(super) fn short(value: f64) -> String {
    let units = [(1e9, "B"), (1e6, "M"), (1e4, "k")];
    let unit = units.into_iter().find(|(least, _)| value >= *least);
    // Default: as it is.
    let (by, unit) = unit.map_or((1.0, ""), |(least, unit)| (if unit == "k" { 1e3 } else { least }, unit));
    let shown = format!("{:.2}", value / by);
    format!("{}{unit}", shown.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_no_digit_is_for_nothing() {
        for (value, shown) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (2.5, "2.5"),
            (100.0, "100"),
            (5_000.0, "5000"),
            (12_500.0, "12.5k"),
            (2e6, "2M"),
            (1e12, "1000B"),
        ] {
            assert_eq!(short(value), shown);
        }
        assert_eq!((likely(0.9731), likely(0.0), likely(1.0)), ("97.3 %".into(), "0.0 %".into(), "100.0 %".into()));
        assert_eq!(key(0xab), "00000000000000ab");
    }
}

//! An amount of one currency, and the one way in which text becomes one.

use std::fmt;

use crate::Currency;

/// Longest text of an amount: a sign, the 19 digits of an `i64` and a point, with room to spare for the message.
const MAX_TEXT: usize = 24;

/// Why an amount cannot be made or combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// Not plain decimal digits: empty, whitespace, an exponent, a plus sign, leading zeros, `-0`, NaN, …
    #[error("not a plain decimal number")]
    Malformed,
    /// More fraction digits than the currency has.
    #[error("more fraction digits than the currency has")]
    ExcessDigits,
    /// Beyond what 64 bits of minor units hold.
    #[error("the amount is out of range")]
    Overflow,
    /// Two currencies in one operation.
    #[error("two different currencies")]
    CurrencyMismatch,
    /// A rate that is zero, negative or has more than 18 significant digits.
    #[error("the rate is out of range")]
    RateOutOfRange,
}

/// An amount: a whole number of minor units of one currency. It may be negative.
///
/// There is no operator for adding, on purpose: adding can fail, and the caller says what then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// `minor` units, e.g. cents.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Zero of this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The number of minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// What it is denominated in.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Greater than zero.
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// Reads decimal text of the major unit: `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, at most as many fraction digits as the
    /// currency has, and not `-0`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        if text.len() > MAX_TEXT {
            return Err(if is_plain(text) { MoneyError::Overflow } else { MoneyError::Malformed });
        }
        if !is_plain(text) {
            return Err(MoneyError::Malformed);
        }
        // Default: without a sign it is not negative.
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let missing = u32::try_from(fraction.len())
            .ok()
            .and_then(|present| currency.exponent().checked_sub(present))
            .ok_or(MoneyError::ExcessDigits)?;
        let mut minor: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            minor = minor * 10 + i128::from(digit - b'0');
        }
        minor *= 10_i128.pow(missing);
        if negative && minor == 0 {
            return Err(MoneyError::Malformed);
        }
        let minor = if negative { -minor } else { minor };
        i64::try_from(minor).map(|minor| Self::new(minor, currency)).map_err(|_| MoneyError::Overflow)
    }

    /// The sum of two amounts of one currency.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_add)
    }

    /// The difference of two amounts of one currency.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.combine(other, i64::checked_sub)
    }

    /// The same amount the other way.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    fn combine(self, other: Self, operation: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = operation(self.minor, other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }
}

/// The text without the currency, always with all fraction digits: `-12.30`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        let unit = 10_u64.pow(self.currency.exponent());
        let (whole, fraction) = (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit);
        match self.currency.exponent() {
            0 => write!(f, "{sign}{whole}"),
            digits => write!(f, "{sign}{whole}.{fraction:0width$}", width = digits as usize),
        }
    }
}

/// The grammar of [`Money::parse`], without the limits of a currency.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(all_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Currency::{EUR, JPY, KWD};

    fn minor(text: &str, currency: Currency) -> Result<i64, MoneyError> {
        Money::parse(text, currency).map(Money::minor)
    }

    #[test]
    fn plain_decimals_are_read_exactly() {
        assert_eq!(minor("12.34", EUR), Ok(1234));
        assert_eq!(minor("12.3", EUR), Ok(1230));
        assert_eq!(minor("12", EUR), Ok(1200));
        assert_eq!(minor("0.01", EUR), Ok(1));
        assert_eq!(minor("-0.01", EUR), Ok(-1));
        assert_eq!(minor("1500", JPY), Ok(1500));
        assert_eq!(minor("1.005", KWD), Ok(1005));
        assert_eq!(minor("92233720368547758.07", EUR), Ok(i64::MAX));
        assert_eq!(minor("-92233720368547758.08", EUR), Ok(i64::MIN));
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        let bad = [
            "", " ", "1 ", " 1", "+1", "--1", "-", "1e3", "1E3", "NaN", "inf", "Infinity", "0x10", "1,00", "1_000",
            ".5", "5.", "1.2.3", "00.50", "01", "-0", "-0.00", "1\u{661}", "\u{ff11}", "1\n", "\t1", "1.-5", "١٢",
        ];
        for text in bad {
            assert_eq!(minor(text, EUR), Err(MoneyError::Malformed), "{text:?}");
        }
        assert_eq!(minor(&format!("{}x", "1".repeat(5000)), EUR), Err(MoneyError::Malformed));
    }

    #[test]
    fn excess_digits_are_refused_and_never_rounded() {
        assert_eq!(minor("1.005", EUR), Err(MoneyError::ExcessDigits));
        assert_eq!(minor("1.000", EUR), Err(MoneyError::ExcessDigits));
        assert_eq!(minor("1.0", JPY), Err(MoneyError::ExcessDigits));
    }

    #[test]
    fn the_edges_of_the_range_are_errors_not_wraps() {
        assert_eq!(minor("92233720368547758.08", EUR), Err(MoneyError::Overflow));
        assert_eq!(minor(&"9".repeat(5000), EUR), Err(MoneyError::Overflow));
        let most = Money::new(i64::MAX, EUR);
        assert_eq!(most.checked_add(Money::new(1, EUR)), Err(MoneyError::Overflow));
        assert_eq!(Money::new(i64::MIN, EUR).checked_neg(), Err(MoneyError::Overflow));
        assert_eq!(most.checked_add(Money::new(1, JPY)), Err(MoneyError::CurrencyMismatch));
    }
}

//! Changing one currency into another at a given rate, exactly up to one named rounding at the end.

use rust_decimal::Decimal;

use crate::{Currency, Money, MoneyError};

/// What happens to the part of a minor unit that is left over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Towards zero: whoever pays out a positive amount keeps the rest.
    Down,
    /// To the nearest, and a half to the even neighbor (no drift over many roundings).
    HalfEven,
}

impl Money {
    /// The amount in `to` at `rate` units of `to` for one unit of this currency.
    ///
    /// The product is a 128-bit integer, so nothing is lost before the rounding; `rate` may have 18 significant digits.
    pub fn convert(self, rate: Decimal, to: Currency, rounding: Rounding) -> Result<Self, MoneyError> {
        let rate = rate.normalize();
        let factor = i64::try_from(rate.mantissa()).map_err(|_| MoneyError::RateOutOfRange)?;
        if factor <= 0 {
            return Err(MoneyError::RateOutOfRange);
        }
        let numerator = i128::from(self.minor())
            .checked_mul(i128::from(factor))
            .and_then(|product| product.checked_mul(10_i128.pow(to.exponent())))
            .ok_or(MoneyError::Overflow)?;
        let denominator = 10_i128.pow(rate.scale() + self.currency().exponent());
        let minor = divide(numerator, denominator, rounding);
        i64::try_from(minor).map(|minor| Self::new(minor, to)).map_err(|_| MoneyError::Overflow)
    }
}

/// `numerator / denominator` with a positive denominator of at most 10^31.
fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    match rounding {
        Rounding::Down => quotient,
        Rounding::HalfEven => match (rest.abs() * 2).cmp(&denominator) {
            std::cmp::Ordering::Less => quotient,
            std::cmp::Ordering::Equal if quotient % 2 == 0 => quotient,
            _ => quotient + numerator.signum(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Currency::{EUR, JPY, KWD, USD};

    fn rate(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn the_rounding_is_the_one_that_was_named() {
        let euro = Money::new(1000, EUR);
        assert_eq!(euro.convert(rate("1.0842"), USD, Rounding::Down), Ok(Money::new(1084, USD)));
        let cent = Money::new(1, EUR);
        assert_eq!(cent.convert(rate("1.99"), USD, Rounding::Down), Ok(Money::new(1, USD)));
        assert_eq!(cent.convert(rate("1.99"), USD, Rounding::HalfEven), Ok(Money::new(2, USD)));
        assert_eq!(cent.convert(rate("0.5"), USD, Rounding::HalfEven), Ok(Money::new(0, USD)));
        assert_eq!(cent.convert(rate("1.5"), USD, Rounding::HalfEven), Ok(Money::new(2, USD)));
        assert_eq!(Money::new(-1, EUR).convert(rate("1.99"), USD, Rounding::Down), Ok(Money::new(-1, USD)));
    }

    #[test]
    fn exponents_are_respected_both_ways() {
        let rounding = Rounding::Down;
        assert_eq!(Money::new(10_000, EUR).convert(rate("163.25"), JPY, rounding), Ok(Money::new(16_325, JPY)));
        assert_eq!(Money::new(16_325, JPY).convert(rate("0.0061255742"), EUR, rounding), Ok(Money::new(9_999, EUR)));
        assert_eq!(Money::new(100, EUR).convert(rate("0.33"), KWD, rounding), Ok(Money::new(330, KWD)));
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        for bad in ["0", "-1", "0.9999999999999999999"] {
            let converted = Money::new(1, EUR).convert(rate(bad), USD, Rounding::Down);
            assert_eq!(converted, Err(MoneyError::RateOutOfRange), "{bad}");
        }
        assert_eq!(Money::new(i64::MAX, EUR).convert(rate("2"), USD, Rounding::Down), Err(MoneyError::Overflow));
    }
}

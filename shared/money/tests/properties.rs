//! What must hold for every amount, not only for the examples.

use money::{Currency, Decimal, Money, MoneyError, Rounding};
use proptest::prelude::*;

fn currency() -> impl Strategy<Value = Currency> {
    proptest::sample::select(Currency::ALL)
}

/// The amount of the major unit, as another library has it.
fn decimal(money: Money) -> Decimal {
    Decimal::new(money.minor(), money.currency().exponent())
}

proptest! {
    #[test]
    fn an_amount_reads_back_as_it_was_printed(minor in any::<i64>(), currency in currency()) {
        let money = Money::new(minor, currency);
        prop_assert_eq!(Money::parse(&money.to_string(), currency), Ok(money));
    }

    #[test]
    fn any_text_is_an_amount_or_an_error_and_never_a_panic(text in ".{0,40}", currency in currency()) {
        if let Ok(money) = Money::parse(&text, currency) {
            // Accepted text has the same value as an independent decimal reader sees in it.
            prop_assert_eq!(text.parse::<Decimal>().unwrap(), decimal(money));
        }
    }

    #[test]
    fn number_like_text_is_read_as_a_decimal_reader_reads_it(text in "-?[0-9]{1,12}(\\.[0-9]{1,4})?", currency in currency()) {
        if let Ok(money) = Money::parse(&text, currency) {
            prop_assert_eq!(text.parse::<Decimal>().unwrap(), decimal(money));
        }
    }

    #[test]
    fn adding_is_exact_or_an_error(a in any::<i64>(), b in any::<i64>(), currency in currency()) {
        let (left, right) = (Money::new(a, currency), Money::new(b, currency));
        let exact = i128::from(a) + i128::from(b);
        match left.checked_add(right) {
            Ok(sum) => {
                prop_assert_eq!(i128::from(sum.minor()), exact);
                prop_assert_eq!(sum.checked_sub(right), Ok(left));
            }
            Err(error) => {
                prop_assert_eq!(error, MoneyError::Overflow);
                prop_assert!(i64::try_from(exact).is_err());
            }
        }
    }

    #[test]
    fn converting_down_never_gives_more_than_the_rate_and_less_than_one_unit_below(
        minor in 0_i64..1_000_000_000_000, mantissa in 1_i64..1_000_000_000, scale in 0_u32..10,
        from in currency(), to in currency(),
    ) {
        let rate = Decimal::new(mantissa, scale);
        if let Ok(bought) = Money::new(minor, from).convert(rate, to, Rounding::Down) {
            // bought / 10^to <= minor * rate / 10^from < (bought + 1) / 10^to, multiplied out into whole numbers.
            let exact = i128::from(minor) * i128::from(mantissa) * 10_i128.pow(to.exponent());
            let unit = 10_i128.pow(scale + from.exponent());
            let bought = i128::from(bought.minor());
            prop_assert!(bought * unit <= exact && exact < (bought + 1) * unit);
        }
    }

    #[test]
    fn there_and_back_again_is_never_a_gain(minor in 1_i64..1_000_000_000, mantissa in 1_i64..100_000_000) {
        let rate = Decimal::new(mantissa, 6);
        let back = (Decimal::ONE / rate).round_dp_with_strategy(12, rust_decimal::RoundingStrategy::ToZero);
        let start = Money::new(minor, Currency::EUR);
        let there = start.convert(rate, Currency::USD, Rounding::Down);
        if let Ok(end) = there.and_then(|money| money.convert(back, Currency::EUR, Rounding::Down)) {
            prop_assert!(end.minor() <= minor);
        }
    }
}

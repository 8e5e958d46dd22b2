//! Currencies: the ISO 4217 code and the number of digits of the minor unit.
//!
//! The list is the one that the European Central Bank publishes rates for, and the Kuwaiti dinar for its three digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is not the code of a currency that this house keeps accounts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a supported ISO 4217 currency code")]
pub struct UnknownCurrency;

// No derive: a currency has its digits beside its name.
macro_rules! currencies {
    ($($code:ident $exponent:literal $name:literal,)*) => {
        /// A currency of ISO 4217.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Currency {
            $(#[doc = $name] $code,)*
        }

        impl Currency {
            /// Every supported currency, by code.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The three capital letters of ISO 4217.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            /// Digits after the decimal point: the minor unit is 10^-exponent of the major unit.
            pub const fn exponent(self) -> u32 {
                match self { $(Self::$code => $exponent,)* }
            }
        }

        impl FromStr for Currency {
            type Err = UnknownCurrency;

            fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
                match code { $(stringify!($code) => Ok(Self::$code),)* _ => Err(UnknownCurrency) }
            }
        }
    };
}

currencies! {
    AUD 2 "Australian dollar.",
    BRL 2 "Brazilian real.",
    CAD 2 "Canadian dollar.",
    CHF 2 "Swiss franc.",
    CNY 2 "Chinese yuan.",
    CZK 2 "Czech koruna.",
    DKK 2 "Danish krone.",
    EUR 2 "Euro.",
    GBP 2 "Pound sterling.",
    HKD 2 "Hong Kong dollar.",
    HUF 2 "Hungarian forint.",
    IDR 2 "Indonesian rupiah.",
    ILS 2 "Israeli new shekel.",
    INR 2 "Indian rupee.",
    ISK 0 "Icelandic króna.",
    JPY 0 "Japanese yen.",
    KRW 0 "South Korean won.",
    KWD 3 "Kuwaiti dinar.",
    MXN 2 "Mexican peso.",
    MYR 2 "Malaysian ringgit.",
    NOK 2 "Norwegian krone.",
    NZD 2 "New Zealand dollar.",
    PHP 2 "Philippine peso.",
    PLN 2 "Polish złoty.",
    RON 2 "Romanian leu.",
    SEK 2 "Swedish krona.",
    SGD 2 "Singapore dollar.",
    THB 2 "Thai baht.",
    TRY 2 "Turkish lira.",
    USD 2 "United States dollar.",
    ZAR 2 "South African rand.",
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_the_list_is_sorted() {
        for currency in Currency::ALL {
            assert_eq!(currency.code().parse(), Ok(*currency));
            assert_eq!(currency.code().len(), 3);
        }
        assert!(Currency::ALL.is_sorted_by_key(|currency| currency.code()));
    }

    #[test]
    fn only_the_exact_code_is_a_currency() {
        for bad in ["", "eur", "EU", "EURO", " EUR", "EUR ", "XXX", "\u{ff25}UR"] {
            assert_eq!(bad.parse::<Currency>(), Err(UnknownCurrency), "{bad:?}");
        }
    }
}

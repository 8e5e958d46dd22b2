//! IBAN (ISO 13616): check digits, and the form of each country.

use iban::{Iban, IbanLike as _};

/// True for a valid IBAN in electronic form: capitals and digits, no spaces.
pub fn is_valid(text: &str) -> bool {
    // The paper form, in groups of four, is read as well, and is not what is sent on.
    text.parse::<Iban>().is_ok_and(|iban| iban.electronic_str() == text)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    /// Examples of the registry (SWIFT, IBAN Registry).
    #[test]
    fn the_registrys_examples_are_valid() {
        for iban in [
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "AT611904300234573201",
        ] {
            assert!(is_valid(iban), "{iban}");
        }
    }

    #[test]
    fn one_wrong_or_swapped_character_is_noticed() {
        for iban in [
            "",
            "DE",
            "DE89370400440532013001",
            "DE89370400440532010300",
            "de89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "8937DE0400440532013000",
            // The check digits are good; too long for its country, and of no country.
            "NO37860111179470",
            "ZZ65123456789012",
            "DE8937040044053201300\u{660}",
        ] {
            assert!(!is_valid(iban), "{iban}");
        }
    }
}

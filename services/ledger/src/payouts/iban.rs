//! IBAN (ISO 13616): the form, and the check digits by ISO 7064 MOD 97-10.

/// True for a valid IBAN in electronic form: capitals and digits, no spaces.
pub fn is_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((head, account)) = bytes.split_at_checked(4) else { return false };
    let [a, b, c, d] = head else { return false };
    let form = a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit();
    let alphanumeric = account.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !form || !alphanumeric || !(11..=30).contains(&account.len()) {
        return false;
    }
    let remainder = account.iter().chain(head).fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        letter => (sum * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    remainder == 1
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
            "DE8937040044053201300\u{660}",
        ] {
            assert!(!is_valid(iban), "{iban}");
        }
    }
}

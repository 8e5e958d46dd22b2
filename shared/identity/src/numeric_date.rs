//! `NumericDate` (RFC 7519 §2): seconds since the epoch, of which "non-integer values can be represented".
//!
//! Ours are whole, and time is compared in whole seconds, so a fraction is dropped: a token ends within its last second rather
//! than after it. For `#[serde(deserialize_with = "…")]`.

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Number;

/// Beyond this a double has no single seconds any more, and nobody's clock is there.
const LIMIT: f64 = 9_007_199_254_740_992.0;

/// Reads a date, rounded down to whole seconds.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    seconds(&number).ok_or_else(|| D::Error::custom("not a date"))
}

/// The same for a date that may be absent.
pub fn deserialize_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(None) };
    seconds(&number).map(Some).ok_or_else(|| D::Error::custom("not a date"))
}

fn seconds(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    let whole = number.as_f64().map(f64::floor).filter(|seconds| seconds.abs() <= LIMIT)?;
    // By way of text, which is exact here and cannot wrap.
    format!("{whole:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Claims {
        #[serde(deserialize_with = "super::deserialize")]
        exp: i64,
        #[serde(default, deserialize_with = "super::deserialize_option")]
        nbf: Option<i64>,
    }

    fn read(text: &str) -> Option<(i64, Option<i64>)> {
        let value = crate::json::parse_unique(text.as_bytes()).unwrap();
        serde_json::from_value::<Claims>(value).ok().map(|claims| (claims.exp, claims.nbf))
    }

    #[test]
    fn a_fraction_is_dropped() {
        assert_eq!(read(r#"{"exp":1800000000}"#), Some((1_800_000_000, None)));
        assert_eq!(read(r#"{"exp":1800000000.999,"nbf":1800000000.0}"#), Some((1_800_000_000, Some(1_800_000_000))));
        assert_eq!(read(r#"{"exp":1.8e9,"nbf":null}"#), Some((1_800_000_000, None)));
        assert_eq!(read(r#"{"exp":-0.5,"nbf":-1}"#), Some((-1, Some(-1))));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            r#"{"exp":"1800000000"}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":-1e18}"#,
            r#"{"exp":18446744073709551615}"#,
            r#"{"exp":null}"#,
            r#"{"exp":[1]}"#,
            r#"{"exp":1,"nbf":"1"}"#,
            r#"{"exp":1,"nbf":1e17}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

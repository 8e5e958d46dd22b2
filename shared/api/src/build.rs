//! The build of an app, as each platform spells it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const FORM: &str = "a build: an integer, or integers with periods between them as a text";

/// Which build of an app.
///
/// - Android: the `longVersionCode`, one integer: `versionCodeMajor` in the upper 32 bits, `versionCode` in the lower ones
///   ([`Build::is_version_code`]).
/// - iOS: `CFBundleVersion`, integers with periods between them, which is a *string*: iOS 27 attests it letter by letter.
///
/// So equality is that of the text (`1` is not `01`), and the order is another thing: [`Build::order`] compares component by
/// component as numbers, and a component that is not there is 0 (`1.4.10` > `1.4.9`; `01` and `1.0` stand where `1` does). That is
/// why there is no [`Ord`].
///
/// On the wire it is what it always was, a JSON number, wherever the former type (32 bits) could say it, and a string otherwise:
/// tokens that are out and peers of another version stay readable. Both are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Build(String);

/// The text is no build: not what the platform allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotABuild;

impl Build {
    /// Characters of the longest build.
    pub const LENGTH: usize = 32;
    /// Most components. Apple reads three; builds that are dates and times have five.
    pub const COMPONENTS: usize = 8;

    /// The text, digits and periods only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it can be a `longVersionCode`: one integer of 63 bits, spelled as integers are.
    pub fn is_version_code(&self) -> bool {
        self.0.parse::<i64>().is_ok_and(|code| code.to_string() == self.0)
    }

    /// Whether `self` is as new as `floor`, or newer.
    pub fn at_least(&self, floor: &Self) -> bool {
        self.order(floor) != Ordering::Less
    }

    /// Older or newer, component by component.
    pub fn order(&self, other: &Self) -> Ordering {
        let (mut ours, mut theirs) = (self.components(), other.components());
        // Bounded: there are at most `COMPONENTS`.
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return Ordering::Equal,
                // Default: a component that is left out is 0.
                (our, their) => match our.unwrap_or_default().cmp(&their.unwrap_or_default()) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                },
            }
        }
    }

    /// Each fits, or it would not be a build.
    fn components(&self) -> impl Iterator<Item = u64> {
        // Default: larger than any that fits.
        self.0.split('.').map(|component| component.parse().unwrap_or(u64::MAX))
    }

    /// The number that the former type would have been.
    fn number(&self) -> Option<u32> {
        self.0.parse().ok().filter(|number: &u32| number.to_string() == self.0)
    }
}

impl From<u64> for Build {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl FromStr for Build {
    type Err = NotABuild;

    fn from_str(text: &str) -> Result<Self, NotABuild> {
        let component = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok();
        let good =
            text.len() <= Self::LENGTH && text.split('.').count() <= Self::COMPONENTS && text.split('.').all(component);
        if good { Ok(Self(text.to_owned())) } else { Err(NotABuild) }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NotABuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {FORM}")
    }
}

impl std::error::Error for NotABuild {}

impl Serialize for Build {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.number() {
            Some(number) => serializer.serialize_u32(number),
            None => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Build {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Build;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(FORM)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Build, E> {
                Ok(number.into())
            }

            // How TOML has its integers. A float is none: `1.10` and `1.1` would be one.
            fn visit_i64<E: Error>(self, number: i64) -> Result<Build, E> {
                let number = u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
                Ok(number.into())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Build, E> {
                text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Of a text each component has at most 19 digits after its zeros, which 64 bits hold whatever they are.
impl JsonSchema for Build {
    fn schema_name() -> Cow<'static, str> {
        "Build".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let component = "0*[0-9]{1,19}";
        let more = Self::COMPONENTS - 1;
        json_schema!({
            "description": "Which build of an app: `longVersionCode` of Android, a number; `CFBundleVersion` of iOS, integers with periods between them.",
            "oneOf": [
                // Beyond that, what reads numbers as floating point reads another one.
                { "type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1, "examples": [10402] },
                { "type": "string", "maxLength": Self::LENGTH, "pattern": format!("^{component}(\\.{component}){{0,{more}}}$"), "examples": ["1.4.2"] },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn build(text: &str) -> Build {
        text.parse().unwrap()
    }

    #[test]
    fn components_are_compared_as_numbers_and_texts_as_texts() {
        for (older, newer) in [
            ("1.4.9", "1.4.10"),
            ("9", "10"),
            ("1", "1.0.1"),
            ("1.99", "2"),
            ("4294967295", "4294967296"),
            ("0.18446744073709551614", "0.18446744073709551615"),
        ] {
            assert_eq!(build(older).order(&build(newer)), Ordering::Less, "{older} < {newer}");
            assert_eq!(build(newer).order(&build(older)), Ordering::Greater, "{newer} > {older}");
            assert!(build(newer).at_least(&build(older)) && !build(older).at_least(&build(newer)));
        }
        for (one, other) in [("1", "01"), ("1", "1.0"), ("1.4", "1.04.0")] {
            assert_eq!(build(one).order(&build(other)), Ordering::Equal, "{one} {other}");
            assert_ne!(build(one), build(other), "another text");
        }
    }

    #[test]
    fn what_is_no_build_is_refused() {
        let (long, many) = ("1".repeat(33), ["1"; 9].join("."));
        let not = ["", ".", "1.", ".1", "1..2", "-1", "+1", " 1", "1 ", "1a", "1.0b3", "1,2", "١", "1\n", "0x1"];
        for text in not.into_iter().chain([long.as_str(), many.as_str(), "18446744073709551616"]) {
            assert_eq!(text.parse::<Build>(), Err(NotABuild), "{text:?}");
            assert!(serde_json::from_value::<Build>(json!(text)).is_err(), "{text:?}");
        }
        for value in [json!(-1), json!(1.4), json!(null), json!([1]), json!({"build": 1}), json!(true)] {
            assert!(serde_json::from_value::<Build>(value.clone()).is_err(), "{value}");
        }
        assert!(["1"; 8].join(".").parse::<Build>().is_ok());
    }

    #[test]
    fn the_wire_form_is_the_former_number_where_there_was_one() {
        let wire = |text: &str| serde_json::to_value(build(text)).unwrap();
        assert_eq!(wire("0"), json!(0));
        assert_eq!(wire("4294967295"), json!(u32::MAX));
        for text in ["01", "1.4.2", "1.0", "4294967296", "00"] {
            assert_eq!(wire(text), json!(text));
        }
        let read = |value: Value| serde_json::from_value::<Build>(value).unwrap();
        assert_eq!(read(json!(7)), read(json!("7")));
        assert_eq!(read(json!(1_u64 << 40)).as_str(), "1099511627776");
        for text in ["0", "7", "01", "1.4.2", "1099511627776"] {
            assert_eq!(read(wire(text)), build(text), "{text}");
        }
    }

    #[test]
    fn a_version_code_is_one_integer_of_63_bits() {
        for code in ["0", "1", "4294967296", "9223372036854775807"] {
            assert!(build(code).is_version_code(), "{code}");
        }
        for other in ["01", "1.0", "9223372036854775808"] {
            assert!(!build(other).is_version_code(), "{other}");
        }
    }
}

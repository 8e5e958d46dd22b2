//! An amount on the wire.

use std::borrow::Cow;

use money::Currency;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An amount of money as it travels: `{"amount":"12.34","currency":"EUR"}`.
///
/// The text is not checked here; `money::Money` is what a service works with, and only it can be added.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Decimal digits of the major unit, with at most the currency's number of fraction digits.
    pub amount: String,
    /// ISO 4217 alphabetic code.
    pub currency: String,
}

impl Amount {
    /// An amount from its two texts.
    pub fn new(amount: impl Into<String>, currency: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into() }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// Digits of an amount in minor units that the contract promises: all of those numbers, and no number with more, fit in the 64 bits of
/// `money::Money` whatever the first digit is.
const DIGITS: u32 = 18;

/// As it is read, an amount is positive; as it is written it may be negative, and has all fraction digits of its currency.
impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn schema_id() -> Cow<'static, str> {
        concat!(module_path!(), "::Amount").into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let read = generator.contract().is_deserialize();
        let mut exponents: Vec<u32> = Currency::ALL.iter().map(|currency| currency.exponent()).collect();
        // Most have two: their form is the first, of which examples are made.
        exponents.sort_by_key(|exponent| exponent.abs_diff(2));
        exponents.dedup();
        let forms: Vec<Value> = exponents.into_iter().map(|exponent| form(exponent, read)).collect();
        json_schema!({
            "description": "An amount of money: decimal digits of the major unit, with at most the currency's number of fraction digits.",
            "oneOf": forms,
        })
    }
}

/// Amounts of the currencies with so many fraction digits.
fn form(exponent: u32, read: bool) -> Value {
    let codes: Vec<&str> =
        Currency::ALL.iter().filter(|one| one.exponent() == exponent).map(|one| one.code()).collect();
    let example = match (exponent, codes.contains(&"EUR")) {
        (_, true) => json!({ "amount": "12.34", "currency": "EUR" }),
        (0, _) => json!({ "amount": "1500", "currency": codes.first() }),
        _ => json!({ "amount": "1.5", "currency": codes.first() }),
    };
    let mut form = json!({
        "type": "object",
        "required": ["amount", "currency"],
        "additionalProperties": false,
        "properties": {
            "amount": { "type": "string", "pattern": if read { positive(exponent) } else { signed(exponent) } },
            "currency": { "type": "string", "enum": codes },
        },
    });
    if let Some(form) = form.as_object_mut().filter(|_| read || exponent == 2) {
        form.insert("examples".to_owned(), json!([example]));
    }
    form
}

/// Greater than zero, and no more digits than the currency has.
pub(crate) fn positive(exponent: u32) -> String {
    let more = DIGITS - exponent - 1;
    if exponent == 0 {
        return format!("^[1-9][0-9]{{0,{more}}}$");
    }
    // Below one: somewhere behind the point is a digit that is not zero.
    let below: Vec<String> = (0..exponent)
        .map(|zeros| format!("{}[1-9][0-9]{{0,{}}}", "0".repeat(zeros as usize), exponent - zeros - 1))
        .collect();
    format!("^([1-9][0-9]{{0,{more}}}(\\.[0-9]{{1,{exponent}}})?|0\\.({}))$", below.join("|"))
}

/// Any, with all digits that the currency has.
fn signed(exponent: u32) -> String {
    let fraction = if exponent == 0 { String::new() } else { format!("\\.[0-9]{{{exponent}}}") };
    format!("^-?(0|[1-9][0-9]{{0,18}}){fraction}$")
}

/// The codes of all currencies that accounts are kept in.
pub(crate) fn currency(_: &mut SchemaGenerator) -> Schema {
    let codes: Vec<&str> = Currency::ALL.iter().map(|currency| currency.code()).collect();
    json_schema!({ "type": "string", "enum": codes, "examples": ["EUR"] })
}

/// A positive amount of any currency, whose own number of fraction digits another field decides.
pub(crate) fn of_any_currency(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": positive(3), "examples": ["12.34"] })
}

//! What passes of an answer, and what makes it fail as a whole.

use super::*;
use serde_json::json;

fn list(entries: &[&str]) -> Result<AllowList, FieldError> {
    AllowList::new(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
}

fn apply(entries: &[&str], answer: &str) -> Result<Value, AnswerError> {
    list(entries).unwrap().apply(Document::parse(answer.as_bytes()).unwrap()).map(Value::Object)
}

/// The outcome for one field `f` of this type.
fn one(kind: &str, value: &str) -> Result<Value, &'static str> {
    let entry = format!("f:{kind}");
    apply(&[&entry], &format!("{{\"f\":{value}}}")).map(|mut answer| answer["f"].take()).map_err(|error| error.problem)
}

#[test]
fn what_is_not_listed_does_not_pass() {
    let answer = r#"{"id":"po_1","status":"accepted","internal":{"note":"x"},"secret":"s"}"#;
    let expected = json!({ "id": "po_1", "status": "accepted" });
    assert_eq!(apply(&["id:token", "status:token"], answer).unwrap(), expected);
    assert_eq!(apply(&[], r#"{"id":1}"#).unwrap(), json!({}));
}

#[test]
fn a_field_passes_under_our_name_for_it() {
    let answer = r#"{"transfer":{"number":"NB-1","state":"x"},"id":"not this","note":null}"#;
    assert_eq!(apply(&["id=transfer.number:token"], answer).unwrap(), json!({ "id": "NB-1" }));
    assert_eq!(apply(&["id=transfer.number:token", "word=note:text?"], answer).unwrap(), json!({ "id": "NB-1" }));
    let both = apply(&["id=transfer.number:token", "transfer.state:token"], answer).unwrap();
    assert_eq!(both, json!({ "id": "NB-1", "transfer": { "state": "x" } }));
    let error = apply(&["id=transfer.no:token"], answer).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("transfer.no", "is missing"));
    assert_eq!(apply(&["id=transfer:token"], answer).unwrap_err().problem, "is not a single value");
    for entries in [
        &["id=number"][..],
        &["id=number:word"],
        &["id=:token"],
        &["=number:token"],
        &["a.b=number:token"],
        &["*=number:token"],
        &["id=list.*:token"],
        &["id=a=b:token"],
        &["id=a:token", "id=b:token"],
        &["id:token", "id=b:token"],
        &["id=b:token", "id.x:token"],
    ] {
        assert!(list(entries).is_err(), "{entries:?}");
    }
}

#[test]
fn nested_fields_and_every_member_can_be_listed() {
    let answer = r#"{"fee":{"amount":1,"note":"x"},"rates":{"USD":"1.1","JPY":170.0},"list":[{"id":1,"x":2}]}"#;
    let expected =
        json!({ "fee": { "amount": "1" }, "rates": { "USD": "1.1", "JPY": "170.0" }, "list": [{ "id": 1 }] });
    assert_eq!(apply(&["fee.amount:decimal", "rates.*:decimal", "list.*.id:integer"], answer).unwrap(), expected);
}

#[test]
fn an_answer_that_lacks_a_field_fails_unless_it_is_optional() {
    assert_eq!(apply(&["id:token"], "{}").unwrap_err().problem, "is missing");
    assert_eq!(apply(&["id:token"], r#"{"id":null}"#).unwrap_err().problem, "is null");
    for answer in ["{}", r#"{"fee":null}"#, r#"{"fee":{}}"#, r#"{"fee":{"amount":null}}"#] {
        let passed = apply(&["fee.amount:decimal?"], answer).unwrap();
        assert!(passed == json!({}) || passed == json!({ "fee": {} }), "{answer}: {passed}");
    }
    assert_eq!(apply(&["r.*:decimal?"], r#"{"r":{"a":null,"b":1}}"#).unwrap(), json!({ "r": { "b": "1" } }));
    assert!(apply(&["r.*:decimal?"], r#"{"r":[1,null]}"#).is_err(), "the others would move up");
    assert!(apply(&["id:token?"], r#"{"id":1}"#).is_err(), "optional, but not of any type");
}

#[test]
fn a_value_cannot_smuggle_a_structure_or_a_novel() {
    assert_eq!(one("token", r#"{"secret":1}"#), Err("is not a single value"));
    assert_eq!(apply(&["rates.*:decimal"], r#"{"rates":{"USD":[1]}}"#).unwrap_err().problem, "is not a single value");
    assert_eq!(one("text", &format!("\"{}\"", "x".repeat(1025))), Err("is too long"));
    assert!(one("text", &format!("\"{}\"", "x".repeat(1024))).is_ok());
    for answer in ["[1]", "\"x\"", "null"] {
        assert!(apply(&["id:token"], answer).is_err());
    }
    for name in ["a b", "a.b", "\\u202e", "", &"x".repeat(65)] {
        assert!(apply(&["rates.*:decimal"], &format!("{{\"rates\":{{\"{name}\":1}}}}")).is_err(), "{name}");
    }
}

fn takes(kind: &str, good: &[(&str, Value)]) {
    for (value, expected) in good {
        assert_eq!(one(kind, value).as_ref(), Ok(expected), "{kind} takes {value}");
    }
}

fn refuses(kind: &str, bad: &[&str]) {
    for value in bad.iter().chain(&["null", "{}", "[]"]) {
        assert!(one(kind, value).is_err(), "{kind} refuses {value}");
    }
}

#[test]
fn a_decimal_passes_with_every_digit_and_a_whole_number_within_64_bits() {
    takes(
        "decimal",
        &[
            ("12345678901234567890123.45", json!("12345678901234567890123.45")),
            (r#""1.10""#, json!("1.10")),
            ("0.10", json!("0.10")),
            ("-5", json!("-5")),
            ("0", json!("0")),
        ],
    );
    refuses("decimal", &["1e3", "1E-2", r#""1e3""#, r#""""#, r#""01""#, r#""+1""#, r#"".5""#, r#""1.""#, r#""1,5""#]);
    refuses("decimal", &[r#""NaN""#, r#"" 1""#, r#""--1""#, "true", r#""\u0661""#, &"1".repeat(41)]);
    takes("integer", &[("9223372036854775807", json!(i64::MAX)), ("-1", json!(-1)), ("0", json!(0))]);
    refuses("integer", &["9223372036854775808", "1.0", "1e3", r#""1""#, "true"]);
}

#[test]
fn a_text_passes_with_visible_characters_only() {
    takes("text", &[(r#""Zo\u00eb & Co.""#, json!("Zoë & Co.")), (r#""""#, json!(""))]);
    refuses("text", &[r#""a\r""#, r#""a\nb""#, r#""a\u0000""#, r#""a\u202eb""#, r#""a\u200bb""#, r#""a\u2066b""#]);
    refuses("text", &[r#""a\ufeff""#, r#""\u00ad""#, "1", "true"]);
    takes("token", &[(r#""po_1-A""#, json!("po_1-A"))]);
    refuses(
        "token",
        &[r#""""#, r#""a b""#, r#""a\r""#, r#""a\u0000""#, r#""a\u202e""#, r#""a/b""#, r#""\u0430""#, "1"],
    );
}

#[test]
fn every_other_type_takes_its_values_only() {
    takes("boolean", &[("true", json!(true)), ("false", json!(false))]);
    refuses("boolean", &[r#""true""#, "1", "0"]);
    takes("date", &[(r#""2026-10-30""#, json!("2026-10-30")), (r#""2024-02-29""#, json!("2024-02-29"))]);
    refuses("date", &[r#""2026-02-30""#, r#""2026-1-1""#, r#""30.10.2026""#, r#""2026-10-30T00:00:00Z""#, "20261030"]);
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    takes("uuid", &[(&format!("\"{id}\""), json!(id))]);
    refuses("uuid", &[&format!("\"{}\"", id.to_uppercase()), &format!("\"{}\"", id.replace('-', "")), r#""x""#]);
    takes("currency", &[(r#""EUR""#, json!("EUR"))]);
    refuses("currency", &[r#""eur""#, r#""EURO""#, "978"]);
    takes("iban", &[(r#""AT611904300234573201""#, json!("AT611904300234573201"))]);
    refuses("iban", &[r#""AT611904300234573202""#]);
}

#[test]
fn a_list_that_contradicts_itself_or_lets_everything_pass_is_refused() {
    for entries in [
        &["a:token", "a:token"][..],
        &["a:token", "a:text?"],
        &["a:token", "a.b:token"],
        &["a.b:token", "a:token"],
        &[""],
        &[":token"],
        &["a..b:token"],
        &["a"],
        &["a:"],
        &["a:string"],
        &["a:token:token"],
        &["a:?"],
        &["a?:token"],
        &["*:token"],
        &["*.id:token"],
        &["a*:token"],
        &["a b:token"],
        &["a\t:token"],
        &["i\u{200b}d:token"],
        &["a: token"],
    ] {
        assert!(list(entries).is_err(), "{entries:?}");
    }
}

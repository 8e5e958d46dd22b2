//! What a body must be.

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    #[serde(rename = "amount")]
    _amount: Amount,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    #[serde(rename = "currency")]
    _currency: String,
}

fn refusal(body: &str) -> (String, String) {
    let problem = json::<Transfer>(body.as_bytes()).unwrap_err();
    assert_eq!((problem.status.as_u16(), problem.code), (400, "request.invalid"));
    (problem.field.unwrap_or_default(), problem.detail.unwrap_or_default())
}

#[test]
fn the_offending_field_is_named() {
    assert_eq!(refusal("{}").0, "amount");
    assert_eq!(refusal("[]").1, "expected an object");
    assert_eq!(refusal(r#"{"amount":{}}"#).0, "amount.currency");
    assert_eq!(refusal(r#"{"amount":{"currency":7}}"#).0, "amount.currency");
    assert_eq!(refusal(r#"{"amount":{"currency":"EUR","x":1}}"#).0, "amount.x");
    assert_eq!(refusal(r#"{"amount":{"currency":"EUR","currency":"EUR"}}"#).0, "amount.currency");
}

#[test]
fn no_list_stands_for_an_object_however_deep() {
    #[derive(Debug, Deserialize, PartialEq)]
    enum Either {
        Plain,
        Wrapped(Vec<Inner>),
        Named { inner: Inner },
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        n: u128,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        list: Vec<Inner>,
        maybe: Option<Box<Inner>>,
        named: std::collections::BTreeMap<String, Inner>,
        pair: (Inner, f32),
        either: Vec<Either>,
        free: serde_json::Value,
    }
    let body = r#"{"list":[{"n":1}],"maybe":{"n":2},"named":{"a":{"n":3}},"pair":[{"n":4},0.1],
        "either":["Plain",{"Wrapped":[{"n":5}]},{"Named":{"inner":{"n":6}}}],"free":[[{"n":[7]}]]}"#;
    let read: Outer = json(body.as_bytes()).unwrap();
    assert_eq!(read, serde_json::from_str(body).unwrap());
    for n in 1..=6 {
        let listed = body.replace(&format!("{{\"n\":{n}}}"), &format!("[{n}]"));
        assert!(serde_json::from_str::<Outer>(&listed).is_ok(), "serde takes it: {listed}");
        assert_eq!(json::<Outer>(listed.as_bytes()).unwrap_err().detail.unwrap(), "expected an object", "{listed}");
    }
    let object = body.replace(r#""Plain""#, r#"{"Plain":null}"#);
    assert!(serde_json::from_str::<Outer>(&object).is_ok() && json::<Outer>(object.as_bytes()).is_err());
    let listed = body.replace(r#"{"inner":{"n":6}}"#, r#"[{"n":6}]"#);
    assert!(serde_json::from_str::<Outer>(&listed).is_ok() && json::<Outer>(listed.as_bytes()).is_err());
}

/// What such an object holds is read beside the tag, out of reach: so none of ours holds an object in it.
#[test]
fn no_list_stands_for_an_object_with_a_tag() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "kind", deny_unknown_fields)]
    enum Tagged {
        Paid { n: u32 },
        Plain,
    }
    let listed = r#"["Paid",1]"#;
    assert!(serde_json::from_str::<Tagged>(listed).is_ok(), "serde takes it");
    assert_eq!(json::<Tagged>(listed.as_bytes()).unwrap_err().detail.unwrap(), "expected an object");
    assert_eq!(json::<Vec<Tagged>>(br#"[["Paid",1]]"#).unwrap_err().detail.unwrap(), "expected an object");
    let objects = br#"[{"kind":"Paid","n":1},{"kind":"Plain"}]"#;
    assert_eq!(json::<Vec<Tagged>>(objects).unwrap(), [Tagged::Paid { n: 1 }, Tagged::Plain]);
    assert!(json::<Tagged>(br#"{"kind":"Paid","n":1,"x":2}"#).is_err() && json::<Tagged>(br#"{"n":1}"#).is_err());
}

#[test]
fn a_value_is_never_repeated() {
    let (field, detail) = refusal(r#"{"amount":"hunter2"}"#);
    assert_eq!((field.as_str(), detail.as_str()), ("amount", "expected an object"));
}

#[test]
fn what_is_not_json_and_what_follows_json_is_refused() {
    for body in ["", "{", "nil", r#"{"amount":{"currency":"EUR"}} {}"#, "\u{feff}{}"] {
        assert!(refusal(body).1.starts_with("the body is not valid JSON"), "{body}");
    }
}

#[test]
fn deep_nesting_is_refused_before_parsing_and_brackets_in_strings_do_not_count() {
    assert!(refusal(&"[".repeat(33)).1.contains("nested deeper"));
    assert!(!deeper_than(br#"["[[[[\"[[[["]"#, 2));
    assert!(!deeper_than(br#"{"a":[{"b":"[[[[\"[["}]}"#, 3) && deeper_than(br#"{"a":[{"b":[]}]}"#, 3));
    assert!(!deeper_than(b"", 0) && deeper_than("[".repeat(100_000).as_bytes(), 32));
}

#[test]
fn only_json_is_json() {
    assert!(is_json("application/json") && is_json("Application/JSON"));
    assert!(!is_json("text/plain") && !is_json("application/jsonp") && !is_json(""));
    for utf_8 in ["application/json;charset=utf-8", "application/json; Charset=\"UTF-8\"", "application/json;"] {
        assert!(is_json(utf_8), "{utf_8}");
    }
    for other in ["charset=utf-16", "charset=utf-8; charset=utf-7", "profile=x", "charset", "=utf-8"] {
        assert!(!is_json(&format!("application/json; {other}")), "{other}");
    }
}

//! Events by a manifest: what is refused when the broker starts, and what a message of other words becomes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::config::ProviderSettings;
use crate::providers::Catalogue;

const BANK: &str = r#"
name = "bank"
description = "A bank of other words."
base_url = "https://api.bank.example"

[webhook]
scheme = "standard-webhooks"
secret = "webhook"
kind = "event.name"

[webhook.events.TRANSFER_SETTLED]
means = "payout-paid"
fields.payout_id = "transfer.client_ref"

[webhook.events.FUNDS_IN]
means = "money-arrived"
fields.account_id = "credit.account"
fields.amount = "credit.value"
fields.currency = "credit.ccy"
fields.debtor_name = "from.holder"
fields.reference = "from.note"

[webhook.events.STATEMENT_READY]
means = "nothing"
"#;

fn compile(text: &str) -> Result<Arc<Webhook>, String> {
    let manifest = Catalogue::parse("conf/bank.toml", text).map_err(|error| error.to_string())?;
    let settings = BTreeMap::from([("bank".into(), ProviderSettings::default())]);
    let catalogue = Catalogue::new(vec![manifest], &settings).map_err(|error| error.to_string())?;
    Ok(Arc::clone(catalogue.provider(&"bank".into()).unwrap().webhook.as_ref().unwrap()))
}

fn bank() -> Arc<Webhook> {
    compile(BANK).unwrap()
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[test]
fn a_message_is_read_by_the_words_of_its_manifest_and_by_no_others() {
    let event = json!({ "event": { "name": "FUNDS_IN", "v": 2 }, "credit": { "account": "a", "value": "1.00", "ccy": "EUR" },
        "from": { "holder": "Carol", "note": "rent" }, "amount": "9.99" });
    let notification = bank().read(&bytes(&event)).unwrap();
    assert_eq!(notification.meaning, Meaning::MoneyArrived);
    for (field, text) in [
        (Field::AccountId, Some("a")),
        (Field::Amount, Some("1.00")),
        (Field::Currency, Some("EUR")),
        (Field::DebtorName, Some("Carol")),
        (Field::Reference, Some("rent")),
        (Field::PayoutId, None),
    ] {
        assert_eq!(notification.text(field), text, "{field}");
    }
    let notification = bank().read(br#"{"event":{"name":"TRANSFER_SETTLED"},"transfer":{"client_ref":"p"}}"#).unwrap();
    assert_eq!((notification.meaning, notification.text(Field::PayoutId)), (Meaning::PayoutPaid, Some("p")));
}

#[test]
fn what_is_needed_must_be_a_text_and_what_is_not_may_be_missing() {
    let event = |from, to| {
        let event = r#"{"event":{"name":"FUNDS_IN"},"credit":{"account":"a","value":"1.00","ccy":"EUR"},"from":{"holder":"C","note":"n"}}"#;
        assert!(event.contains(from), "{from}");
        bank().read(event.replace(from, to).as_bytes())
    };
    assert_eq!(event(r#","note":"n""#, "").unwrap().text(Field::Reference), None);
    for (from, to) in [
        (r#""note":"n""#, r#""note":null"#),
        (r#""note":"n""#, r#""note":["n"]"#),
        (r#""value":"1.00""#, r#""value":1.00"#),
        (r#""value":"1.00""#, r#""value":null"#),
        (r#""value":"1.00","#, ""),
        (r#""value":"1.00""#, r#""value":"1.00","value":"9.00""#),
        (r#"{"account":"a","value":"1.00","ccy":"EUR"}"#, "[]"),
        ("FUNDS_IN", "FUNDS_OUT"),
        ("FUNDS_IN", "funds_in"),
    ] {
        assert_eq!(event(from, to), None, "{from} -> {to}");
    }
}

#[test]
fn a_kind_that_nobody_listed_is_kept_unless_the_manifest_says_otherwise() {
    let of = |kind: &str| format!("{{\"event\":{{\"name\":\"{kind}\"}}}}");
    let (keeps, drops) = (bank(), compile(&BANK.replace("[webhook]", "[webhook]\nunlisted = \"drop\"")).unwrap());
    for (kind, kept, dropped) in [
        ("FUNDS_IN", Sorted::Wanted("FUNDS_IN".to_owned()), Sorted::Wanted("FUNDS_IN".to_owned())),
        (
            "STATEMENT_READY",
            Sorted::Ignored("STATEMENT_READY".to_owned()),
            Sorted::Ignored("STATEMENT_READY".to_owned()),
        ),
        ("funds.out", Sorted::Unlisted("funds.out".to_owned()), Sorted::Ignored("funds.out".to_owned())),
        // Not a word that a machine would choose: it is not even repeated.
        ("FUNDS_OUT", Sorted::Unreadable, Sorted::Unreadable),
        ("a b", Sorted::Unreadable, Sorted::Unreadable),
        ("", Sorted::Unreadable, Sorted::Unreadable),
        (&"x".repeat(65), Sorted::Unreadable, Sorted::Unreadable),
    ] {
        assert_eq!((keeps.sort(of(kind).as_bytes()), drops.sort(of(kind).as_bytes())), (kept, dropped), "{kind}");
    }
    let deep = format!("{{\"event\":{{\"name\":\"FUNDS_IN\"}},\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    for body in [
        "",
        "{}",
        "[]",
        "not json",
        r#"{"event":"FUNDS_IN"}"#,
        r#"{"event":{"name":1}}"#,
        &deep,
        r#"{"event":{"name":"FUNDS_IN","name":"FUNDS_IN"}}"#,
    ] {
        assert_eq!(keeps.sort(body.as_bytes()), Sorted::Unreadable, "{body}");
        assert_eq!(keeps.read(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_manifest_that_breaks_a_rule_of_events_is_refused_by_file_and_field() {
    let paid =
        "[webhook.events.TRANSFER_SETTLED]\nmeans = \"payout-paid\"\nfields.payout_id = \"transfer.client_ref\"\n";
    let many =
        (0..64).fold(String::new(), |all, number| format!("{all}[webhook.events.k{number}]\nmeans = \"nothing\"\n"));
    for (from, to, place) in [
        // A field of ours is missing.
        ("fields.amount = \"credit.value\"\n", "", "webhook.events.\"FUNDS_IN\".fields.amount: is missing"),
        ("fields.account_id = \"credit.account\"\n", "", "webhook.events.\"FUNDS_IN\".fields.account_id: is missing"),
        ("fields.currency = \"credit.ccy\"\n", "", "webhook.events.\"FUNDS_IN\".fields.currency: is missing"),
        ("fields.debtor_name = \"from.holder\"\n", "", "webhook.events.\"FUNDS_IN\".fields.debtor_name: is missing"),
        (
            "fields.payout_id = \"transfer.client_ref\"\n",
            "",
            "webhook.events.\"TRANSFER_SETTLED\".fields.payout_id: is missing",
        ),
        // A target that is none, of any event or of this one.
        ("fields.amount", "fields.amont", "unknown variant `amont`"),
        ("\"payout-paid\"", "\"payout-piad\"", "unknown variant `payout-piad`"),
        ("means = \"payout-paid\"\n", "", "missing field `means`"),
        (
            "fields.reference",
            "fields.payout_id",
            "webhook.events.\"FUNDS_IN\".fields.payout_id: `money-arrived` has no such field",
        ),
        (
            "\"payout-paid\"\n",
            "\"payout-paid\"\nfields.amount = \"a\"\n",
            "fields.amount: `payout-paid` has no such field",
        ),
        ("\"nothing\"\n", "\"nothing\"\nfields.amount = \"a\"\n", "fields.amount: `nothing` has no such field"),
        // One kind with two meanings, one field in two places.
        (paid, &format!("{paid}{paid}"), "TRANSFER_SETTLED"),
        ("fields.reference = \"from.note\"\n", "fields.reference = \"a\"\nfields.reference = \"b\"\n", "reference"),
        // A place that is none.
        ("\"credit.value\"", "\"credit..value\"", "webhook.events.\"FUNDS_IN\".fields.amount: `credit..value`"),
        ("\"credit.value\"", "\"/credit/value\"", "fields.amount: `/credit/value`"),
        ("\"credit.value\"", "\"credit.*\"", "fields.amount: `credit.*`"),
        ("\"credit.value\"", "\"\"", "fields.amount: ``"),
        ("\"credit.value\"", "7", "fields.amount = 7"),
        ("\"event.name\"", "\"event.\"", "webhook.kind: `event.`"),
        ("kind = \"event.name\"\n", "", "missing field `kind`"),
        // Kinds that no message has, or too many, or none.
        ("STATEMENT_READY", "\"STATEMENT READY\"", "webhook.events.\"STATEMENT READY\": a kind is"),
        ("STATEMENT_READY", "\"\"", "webhook.events.\"\": a kind is"),
        ("[webhook.events.STATEMENT_READY]\nmeans = \"nothing\"\n", &many, "webhook.events: 1 to 64 kinds"),
        // What nobody knows.
        ("[webhook]", "[webhook]\nunlisted = \"guess\"", "unknown variant `guess`"),
        ("means = \"nothing\"", "means = \"nothing\"\nwhen = \"always\"", "unknown field `when`"),
    ] {
        assert!(BANK.contains(from), "{from}");
        let error = compile(&BANK.replacen(from, to, 1)).expect_err(&format!("{from} -> {to}"));
        assert!(error.starts_with("manifest conf/bank.toml: "), "{error}");
        assert!(error.contains(place), "{place} is not in: {error}");
    }
    let (start, _) = BANK.split_once("[webhook.events").unwrap();
    let error = compile(&format!("{start}events = {{}}\n")).unwrap_err();
    assert!(error.contains("webhook.events: 1 to 64 kinds"), "{error}");
}

//! Manifests: what is refused when the broker starts, and what a checked call becomes.

use super::*;

const BANK: &str = r#"
name = "bank"
description = "A bank."
base_url = "https://api.bank.example/open"
auth = { scheme = "bearer", secret = "api" }

[operations.get_payout]
callers = ["ledger"]
method = "GET"
path = "/v1/payouts/{id}"
retry = "idempotent"
attempts = 3
timeout_ms = 2000
response = { kind = "json", fields = ["id:token"] }
[operations.get_payout.params]
id = { in = "path", type = "token" }
note = { in = "query", type = "text", optional = true }

[webhook]
scheme = "standard-webhooks"
secret = "webhook"
kind = "type"
max_bytes = 20480
events."payout.paid" = { means = "payout-paid", fields.payout_id = "data.payout_id" }
"#;

pub(super) fn compile(text: &str, settings: ProviderSettings) -> Result<Catalogue, CatalogueError> {
    let manifest = Catalogue::parse("test", text)?;
    let settings = BTreeMap::from([(manifest.name.clone(), settings)]);
    Catalogue::new(vec![manifest], &settings)
}

fn bank() -> Arc<Provider> {
    Arc::clone(compile(BANK, ProviderSettings::default()).unwrap().provider(&"bank".into()).unwrap())
}

fn url(params: &serde_json::Value) -> Result<String, ParameterError> {
    let bank = bank();
    let operation = &bank.operations[&"get_payout".into()];
    let checked = operation.check(params.as_object().unwrap())?;
    Ok(operation.url(&bank.base, &checked).unwrap().to_string())
}

/// The manifests that come with the broker.
fn supplied() -> Vec<String> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/manifests")).unwrap();
    let texts: Vec<_> = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(texts.len() >= 2, "{texts:?}");
    texts
}

#[test]
fn the_manifests_that_come_with_the_broker_are_good() {
    for text in supplied() {
        compile(&text, ProviderSettings::default()).unwrap();
    }
}

#[test]
fn a_call_becomes_the_url_of_its_template() {
    let plain = url(&serde_json::json!({ "id": "po_1" })).unwrap();
    assert_eq!(plain, "https://api.bank.example/open/v1/payouts/po_1");
    let hostile = url(&serde_json::json!({ "id": "po_1", "note": "a&b=c#d/../é" })).unwrap();
    assert_eq!(hostile, "https://api.bank.example/open/v1/payouts/po_1?note=a%26b%3Dc%23d%2F..%2F%C3%A9");
}

#[test]
fn no_parameter_escapes_its_segment() {
    for id in [
        "..",
        ".",
        "a/b",
        "a\\b",
        "%2e%2e",
        "..%2f",
        "a?b",
        "a#b",
        "a;b",
        "a\u{0}",
        "a\r\nHost: x",
        "@evil",
        "。",
        "a\u{200b}",
    ] {
        assert_eq!(url(&serde_json::json!({ "id": id })).unwrap_err().field, "id", "{id:?}");
    }
}

#[test]
fn a_base_url_that_is_not_a_plain_https_name_is_refused() {
    for base in [
        "http://api.bank.example",
        "https://127.0.0.1",
        "https://127.1",
        "https://0",
        "https://2130706433",
        "https://0x7f000001",
        "https://0177.0.0.1",
        "https://[::1]",
        "https://[::ffff:169.254.169.254]",
        "https://good@evil.example",
        "https://good:pass@evil.example",
        "https://bank.example?x=1",
        "https://bank.example#x",
        "https://bank.example.",
        "https://bank_x.example",
        "file:///etc/passwd",
        "bank.example",
        "https://",
        // What the parser would repair.
        "https:\\\\api.bank.example\\x",
        "https://api.bank.example/a\\..\\b",
        "https://api.bank.example\\@evil.example",
        "https://api.ba\tnk.example",
        "https://api.ba\nnk.example",
        " https://api.bank.example ",
        "https://api.ba\u{200b}nk.example",
        "https://api.ba\u{ad}nk.example",
        "https://api。bank.example",
        "https://API.bank.example",
        "HTTPS://api.bank.example",
        "https://%61pi.bank.example",
        "https://api.bank.example:443",
        "https://api.bank.example:08443",
        "https://api.bank.example/a/../b",
        "https://api.bank.example/a/./b",
        "https://api.bank.example/%2e%2e/b",
        "https:api.bank.example",
        "https:///api.bank.example",
        // What it would leave, and others would not.
        "https://api.bank.example//x",
        "https://api.bank.example/x//y",
        "https://api.bank.example/a%2fb",
        "https://api.bank.example/a;b",
        "https://api.bank.example/a//",
    ] {
        let settings = ProviderSettings { base_url: Some(base.to_owned()), ..ProviderSettings::default() };
        assert!(compile(BANK, settings).is_err(), "{base}");
    }
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused() {
    for (from, to) in [
        (r#"callers = ["ledger"]"#, "callers = []"),
        (r#"method = "GET""#, r#"method = "DELETE""#),
        (r#"method = "GET""#, r#"method = "POST""#),
        ("attempts = 3", "attempts = 9"),
        ("attempts = 3", "attempts = 0"),
        (r#"retry = "idempotent""#, r#"retry = "never""#),
        (r#"retry = "idempotent""#, r#"idempotency_header = "x-key""#),
        ("/v1/payouts/{id}", "/v1/payouts/{other}"),
        ("/v1/payouts/{id}", "/v1/payouts"),
        ("/v1/payouts/{id}", "/v1/../{id}"),
        ("/v1/payouts/{id}", "v1/{id}"),
        ("/v1/payouts/{id}", "//evil.example/{id}"),
        ("/v1/payouts/{id}", "/v1/payouts?x=/{id}"),
        (r#"id = { in = "path", type = "token" }"#, r#"id = { in = "path", type = "text" }"#),
        (r#"id = { in = "path", type = "token" }"#, r#"id = { in = "path", type = "token", optional = true }"#),
        (r#"fields = ["id:token"]"#, "fields = []"),
        (r#"fields = ["id:token"]"#, r#"fields = ["id"]"#),
        (r#"fields = ["id:token"]"#, r#"fields = ["*"]"#),
        (r#"fields = ["id:token"]"#, r#"fields = ["*:token"]"#),
        (r#"fields = ["id:token"]"#, r#"fields = ["id:token", "id.x:token"]"#),
        (r#"fields = ["id:token"]"#, "fields = [\"i\\u200bd:token\"]"),
        (r#"fields = ["id:token"]"#, "fields = [\"i\u{200b}d:token\"]"),
        (r#"fields = ["id:token"]"#, r#"fields = ["id:token"], max_bytes = 0"#),
        (r#"fields = ["id:token"]"#, r#"fields = ["id:token"], max_bytes = 1048577"#),
        ("A bank.", "A \u{202e}bank."),
        (r#"callers = ["ledger"]"#, r#"callers = ["ledger", "ledger"]"#),
        (r#"callers = ["ledger"]"#, r#"callers = ["led\u200bger"]"#),
        (r#"callers = ["ledger"]"#, r#"callers = ["Ledger"]"#),
        ("timeout_ms = 2000", "timeout_ms = 0"),
        ("timeout_ms = 2000", "timeout_ms = 2600"),
        ("timeout_ms = 2000", "timeout_ms = 60000"),
        ("timeout_ms = 2000", ""),
        ("timeout_ms = 2000", "cache = { seconds = 0 }\ntimeout_ms = 2000"),
        ("timeout_ms = 2000", "success = []\ntimeout_ms = 2000"),
        ("timeout_ms = 2000", "success = [200, 200]\ntimeout_ms = 2000"),
        ("timeout_ms = 2000", "success = [204]\ntimeout_ms = 2000"),
        ("timeout_ms = 2000", "success = [302]\ntimeout_ms = 2000"),
        ("timeout_ms = 2000", "success = [404]\ntimeout_ms = 2000"),
        (r#"secret = "api""#, r#"secret = """#),
        (r#"secret = "webhook""#, r#"secret = "web hook""#),
        ("max_bytes = 20480", "max_bytes = 0"),
        ("max_bytes = 20480", "max_bytes = 4294967295"),
        (r#"events."payout.paid" ="#, "events = {} #"),
        (r#""payout-paid""#, r#""payout-piad""#),
        (r#"events."payout.paid" ="#, r#"events."payout.*" ="#),
        (r#"events."payout.paid" ="#, "events.\"payout.paid\" = { means = \"nothing\" }\nevents.\"payout.paid\" ="),
        ("[operations.get_payout]", "breaker = { open_seconds = 0 }\n[operations.get_payout]"),
        ("[operations.get_payout]", "tls = \"1.1\"\n[operations.get_payout]"),
        ("optional = true", "optional = true, max_length = 0"),
        ("note = {", "\"no te\" = {"),
        (r#"kind = "json""#, r#"kind = "yaml""#),
        (r#"name = "bank""#, r#"name = "../bank""#),
        ("description", "descryption"),
    ] {
        assert!(BANK.contains(from), "{from}");
        assert!(compile(&BANK.replace(from, to), ProviderSettings::default()).is_err(), "{from} -> {to}");
    }
}

#[test]
fn the_words_of_a_rate_sheet_are_plain_and_differ() {
    let sheet = supplied().into_iter().find(|text| text.contains("rate-sheet")).unwrap();
    for (from, to, place) in [
        ("element = \"Cube\"", "element = \"\"", "sheet.element"),
        ("element = \"Cube\"", "element = \"a:Cube\"", "sheet.element"),
        ("date = \"time\"", "date = \"rate\"", "one attribute"),
        ("date = \"time\"", "", "date"),
        ("base = \"EUR\"", "base = \"euro\"", "sheet.base"),
        ("namespace = \"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\"", "namespace = \"\"", "sheet.namespace"),
        ("kind = \"rate-sheet\"", "kind = \"json\"", "response.sheet"),
    ] {
        assert!(sheet.contains(from), "{from}");
        let error = compile(&sheet.replacen(from, to, 1), ProviderSettings::default()).unwrap_err().to_string();
        assert!(error.contains(place) && error.starts_with("manifest test: "), "{place}: {error}");
    }
}

#[test]
fn two_manifests_of_one_provider_stop_the_broker() {
    let manifest = |origin| Catalogue::parse(origin, BANK).unwrap();
    let doubled = Catalogue::new(vec![manifest("a.toml"), manifest("b.toml")], &BTreeMap::new()).unwrap_err();
    assert_eq!(doubled.to_string(), "manifests a.toml and b.toml describe one provider, bank");
}

#[test]
fn a_parameter_has_a_place_of_its_own_and_a_format_its_words() {
    for (from, to) in [
        // A place of a parameter that is none, or another's.
        (r#"note = { in = "query", type = "text""#, r#"note = { in = "query", type = "text", field = "a.b""#),
        (r#"note = { in = "query", type = "text""#, r#"note = { in = "query", type = "text", field = """#),
        (r#"id = { in = "path", type = "token" }"#, r#"id = { in = "path", type = "token", field = "other" }"#),
        (
            r#"fields = ["id:token"]"#,
            r#"fields = ["id:token"], sheet = { namespace = "n", element = "e", date = "d", currency = "c", rate = "r", base = "EUR" }"#,
        ),
        (r#"kind = "json""#, r#"kind = "rate-sheet""#),
    ] {
        assert!(BANK.contains(from), "{from}");
        assert!(compile(&BANK.replace(from, to), ProviderSettings::default()).is_err(), "{from} -> {to}");
    }
    let order = |params: &str| {
        let text = format!(
            "{}[operations.order.params]\n{params}",
            ORDER.replace("[operations.standing]", "#").split('#').next().unwrap()
        );
        compile(&text, ProviderSettings::default())
    };
    order("a = { in = \"body\", type = \"token\", field = \"x.a\" }\nb = { in = \"body\", type = \"token\", field = \"x.b\" }").unwrap();
    for (a, b) in
        [("x", "x"), ("x", "x.b"), ("x.a.b", "x.a"), ("b", "b"), ("x..y", "z"), ("*", "z"), ("", "z"), ("/x", "z")]
    {
        let params = format!(
            "a = {{ in = \"body\", type = \"token\", field = \"{a}\" }}\nb = {{ in = \"body\", type = \"token\", field = \"{b}\" }}"
        );
        let error = order(&params).unwrap_err().to_string();
        assert!(error.contains("operation order: params.") && error.contains(".field: `"), "{a} {b}: {error}");
    }
}

#[test]
fn settings_without_a_manifest_stop_the_broker() {
    let settings = BTreeMap::from([("nobody".into(), ProviderSettings::default())]);
    assert!(matches!(Catalogue::new(Vec::new(), &settings), Err(CatalogueError::Unknown(_))));
}

const ORDER: &str = r#"
name = "bank"
description = "A bank."
base_url = "https://api.bank.example/open"

[operations.order]
callers = ["ledger"]
method = "POST"
path = "/v1/payouts"
idempotency_header = "idempotency-key"
retry = "idempotent"
attempts = 3
timeout_ms = 2000
accepted = [{ status = 201, field = "status", values = ["accepted"] }]
refusals = [{ status = 422, field = "error.code", values = ["rejected"] }]
response = { kind = "json", fields = ["id:token"] }

[operations.standing]
kind = "status"
callers = ["ledger"]
method = "GET"
path = "/v1/payouts"
standings = { field = "status", accepted = ["accepted"], paid = ["paid"], failed = ["failed"] }
response = { kind = "json", fields = ["id:token"] }
"#;

#[test]
fn the_words_of_an_order_are_agreed_without_ambiguity() {
    compile(ORDER, ProviderSettings::default()).unwrap();
    for (from, to) in [
        // An order that any answer, or none, would take.
        ("accepted = [{ status = 201, field = \"status\", values = [\"accepted\"] }]", ""),
        ("accepted = [{", "accepted = [] #"),
        ("values = [\"accepted\"] }", "values = [] }"),
        ("values = [\"accepted\"] }", "values = [\"\"] }"),
        ("field = \"error.code\"", "field = \"error.*\""),
        ("field = \"error.code\"", "field = \"\""),
        (
            "status = 422, field = \"error.code\", values = [\"rejected\"]",
            "status = 201, field = \"status\", values = [\"accepted\"]",
        ),
        ("status = 422", "status = 42"),
        ("method = \"POST\"", "method = \"POST\"\nkind = \"query\""),
        ("kind = \"status\"", "kind = \"order\""),
        ("kind = \"status\"", ""),
        ("failed = [\"failed\"]", "failed = [\"paid\"]"),
        ("failed = [\"failed\"]", "failed = []"),
        // Three attempts of three seconds: the caller has left by then.
        ("timeout_ms = 2000", "timeout_ms = 3000"),
        ("timeout_ms = 2000", "timeout_ms = 0"),
    ] {
        assert!(ORDER.contains(from), "{from}");
        assert!(compile(&ORDER.replacen(from, to, 1), ProviderSettings::default()).is_err(), "{from} -> {to}");
    }
}

#[test]
fn a_key_goes_into_a_header_that_is_named_for_it_and_into_no_other() {
    let with = |header: &str| {
        let ours = "idempotency_header = \"idempotency-key\"";
        assert!(ORDER.contains(ours));
        compile(&ORDER.replace(ours, &format!("idempotency_header = \"{header}\"")), ProviderSettings::default())
    };
    for header in ["idempotency-key", "x-idempotency-key", "x-request-id", "paypal-request-id"] {
        with(header).unwrap();
    }
    for header in [
        "cookie",
        "set-cookie",
        "authorization",
        "proxy-authorization",
        "host",
        "content-length",
        "transfer-encoding",
        "te",
        "connection",
        "upgrade",
        "expect",
        "user-agent",
        "accept-encoding",
        "x-forwarded-for",
        "x-http-method-override",
        "traceparent",
        "origin",
        "range",
        "Idempotency-Key",
        "content-id",
        "sec-websocket-key",
        "x key-id",
        "-id",
        "",
    ] {
        assert!(with(header).is_err(), "{header}");
    }
}

#[test]
fn a_call_ends_before_its_caller_has_gone() {
    let second = Duration::from_secs(1);
    assert_eq!(longest(1, second), second);
    assert_eq!(longest(3, second), 3 * second + Duration::from_millis(100 + 200));
    for text in supplied() {
        let catalogue = compile(&text, ProviderSettings::default()).unwrap();
        for operation in catalogue.iter().flat_map(|provider| provider.operations.values()) {
            assert!(longest(operation.attempts, operation.timeout) <= CALL_BUDGET, "{}", operation.name);
        }
    }
}

#[test]
fn a_call_without_its_parameter_or_to_no_place_has_no_url_and_not_another_one() {
    let bank = bank();
    let operation = &bank.operations[&"get_payout".into()];
    let (nothing, given) = (Checked::default(), serde_json::json!({ "id": "p_1" }));
    let given = operation.check(given.as_object().unwrap()).unwrap();
    assert_eq!(operation.url(&bank.base, &given).unwrap().as_str(), "https://api.bank.example/open/v1/payouts/p_1");
    assert!(operation.url(&bank.base, &nothing).is_err());
    assert!(operation.url(&Url::parse("mailto:bank").unwrap(), &given).is_err());
}

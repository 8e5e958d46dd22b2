//! Questions about what is good once, and secrets that stand in a form.

use super::tests::compile;
use super::*;

const CHECK: &str = r#"
name = "vendor"
description = "A vendor."
base_url = "https://api.vendor.example"
auth = { scheme = "form", secret = "key", field = "secret" }

[operations.verify]
kind = "check"
callers = ["auth"]
method = "POST"
path = "/verify"
encoding = "form"
response = { kind = "json", fields = ["success:boolean"] }
[operations.verify.params]
response = { in = "body", type = "text" }
"#;

#[test]
fn a_check_is_sent_once_and_a_secret_in_a_form_has_a_form_to_stand_in() {
    compile(CHECK, ProviderSettings::default()).unwrap();
    for (old, new, complaint) in [
        ("method = \"POST\"", "method = \"GET\"", "every operation must be a POST of a form"),
        ("encoding = \"form\"\n", "", "every operation must be a POST of a form"),
        ("path = \"/verify\"", "path = \"/verify\"\nretry = \"idempotent\"", "a check is sent once"),
        ("kind = \"check\"\n", "", "an order needs the answer by which it is taken"),
        ("kind = \"check\"", "kind = \"query\"", "an order is a POST, and so is a check"),
        ("field = \"secret\"", "field = \"a.b\"", "not a plain name"),
        ("field = \"secret\"", "field = \"response\"", "is the place of a parameter, too"),
        ("type = \"text\" }", "type = \"text\", field = \"a.b\" }", "no field within another"),
    ] {
        let broken = CHECK.replace(old, new);
        assert_ne!(broken, CHECK, "{old}");
        let error = compile(&broken, ProviderSettings::default()).unwrap_err().to_string();
        assert!(error.contains(complaint), "{new}: {error}");
    }
}

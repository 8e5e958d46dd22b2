//! What a person who configures a service gets to see.

use super::*;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    common: Common,
    issuer: String,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    queue: usize,
}

const FILE: &str = r#"
issuer = "https://localhost:7001"
[internal]
listen = "127.0.0.1:7103"
url = "https://localhost:7103"
certificate = "c"
key = "k"
ca = "a"
"#;

fn read(extra: &str, environment: &[(&str, &str)]) -> Result<Ledger, ConfigError> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    parse("ledger", &format!("{FILE}{extra}"), "ledger.toml", environment)
}

#[test]
fn common_sections_stand_at_the_top_level() {
    let config = read("[limits]\nqueue = 7\n", &[]).unwrap();
    assert_eq!(config.common.internal.listen.port(), 7103);
    assert_eq!(config.limits.queue, 7);
    assert_eq!(config.common.telemetry.log, "info");
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = read(
        "[limits]\nqueue = 7\n",
        &[
            ("LEDGER__LIMITS__QUEUE", "9"),
            ("LEDGER__INTERNAL__LISTEN", "127.0.0.1:0"),
            ("LEDGER__ISSUER", "https://id.example"),
            ("LEDGER__EXIT_WITH_PARENT", "true"),
            ("LEDGER_SERVICE_HOST", "set by kubernetes, not for us"),
            ("AUTH__NONSENSE", "for another service"),
        ],
    )
    .unwrap();
    assert_eq!(config.limits.queue, 9);
    assert_eq!(config.common.internal.listen.port(), 0);
    assert_eq!(config.issuer, "https://id.example");
    assert!(config.common.exit_with_parent);
}

#[test]
fn an_unknown_key_is_named() {
    for (extra, environment, key) in [
        ("[limits]\nqueues = 7\n", &[][..], "limits.queues"),
        ("[telemetry]\nlogs = \"debug\"\n", &[], "telemetry.logs"),
        ("", &[("LEDGER__NO_SUCH__THING", "1")], "no_such"),
        ("[common]\nworkers = 1\n", &[], "common (write"),
    ] {
        let message = read(extra, environment).unwrap_err().to_string();
        assert!(message.contains("unknown field") && message.contains(key), "{message}");
    }
}

#[test]
fn a_missing_key_and_a_wrong_type_are_named_with_their_variable() {
    let message = parse::<Ledger>("ledger", "", "x", std::iter::empty()).unwrap_err().to_string();
    assert!(message.contains("missing field `internal`"), "{message}");
    let message = read("", &[("LEDGER__INTERNAL__LISTEN", "7103")]).unwrap_err().to_string();
    assert!(message.contains("key `internal.listen`") && message.contains("LEDGER__INTERNAL__LISTEN"), "{message}");
}

#[test]
fn a_value_from_the_environment_cannot_add_keys() {
    let config = read("", &[("LEDGER__ISSUER", "1\nlimits = 3")]).unwrap();
    assert_eq!(config.issuer, "1\nlimits = 3");
}

#[test]
fn printing_gives_the_form_of_the_file_and_no_secret() {
    let mut config = read("", &[]).unwrap();
    config.issuer = "postgres://app:hunter2@db/ledger".to_owned();
    let printed = print(&config).unwrap();
    assert!(printed.contains("[internal]") && !printed.contains("common"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn without_a_public_listener_there_is_no_origin() {
    let mut common = read("", &[]).unwrap().common;
    assert!(common.public_origin().is_err());
    let public = "listen = \"127.0.0.1:0\"\nurl = \"https://api.example\"\ncertificate = \"c\"\nkey = \"k\"";
    common.public = Some(toml::from_str(public).unwrap());
    assert_eq!(common.public_origin().unwrap(), "https://api.example");
}

#[test]
fn nobody_is_shown_the_api_unless_the_configuration_says_so() {
    let public = "[public]\nlisten = \"127.0.0.1:0\"\nurl = \"https://localhost\"\ncertificate = \"c\"\nkey = \"k\"\n";
    let shown = |extra: &str| read(&format!("{public}{extra}"), &[]).unwrap().common.public.unwrap().docs;
    assert!(!shown(""));
    assert!(shown("docs = true\n"));
}

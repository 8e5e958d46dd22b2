//! What is true passes; each thing that is not is named. And Prometheus' own tool reads the rules.

use std::path::Path;
use std::process::Command;

use testkit::missing::may_be_missing;

use super::*;
use crate::place;

const RULES: &str = "groups:\n  - name: a\n    rules:\n      - alert: Slow\n        expr: sum by (job) (rate(ledger_orders_total{outcome=\"busy\"}[5m])) > 1\n        \
    annotations:\n          runbook_url: RUNBOOKS/Slow.md\n";
const TESTED: &str = "expr: count(ALERTS{alertname=\"Slow\"})\n";
const BOOK: &str = "# Slow\n\nAsk `GET /v1/accounts`.\n";
const BOARD: &str = r#"{"panels": [{"targets": [{"expr": "max(ledger_outbox_lag_seconds)"}]}]}"#;
const CONTRACT: &str = r#"{"paths": {"/v1/accounts": {}}}"#;

/// A runbook that stands in no document of the repository is written otherwise: what names documents is held against them.
fn here(text: &str) -> String {
    text.replace("RUNBOOKS/", RUNBOOKS)
}

fn complaints(changes: &[(&str, Option<&str>)]) -> Complaints {
    let mut files: BTreeMap<&str, &str> = [
        (ALERTS, RULES),
        (TESTS, TESTED),
        ("RUNBOOKS/Slow.md", BOOK),
        ("infra/watching/dashboards/a.json", BOARD),
        ("services/ledger/openapi.json", CONTRACT),
    ]
    .into();
    for (path, text) in changes {
        match text {
            Some(text) => drop(files.insert(path, text)),
            None => drop(files.remove(path)),
        }
    }
    let source = |(path, text): (&str, &str)| Source { path: here(path), text: here(text) };
    all(&files.into_iter().map(source).collect::<Vec<_>>())
}

#[test]
fn what_is_true_passes() {
    assert_eq!(complaints(&[]), Complaints::new());
}

#[test]
fn an_alert_has_a_runbook_and_a_test_and_a_runbook_an_alert() {
    let one = |changes: &[(&str, Option<&str>)], what: &str| {
        let found = complaints(changes);
        assert!(found.len() == 1 && found[0].contains(&here(what)), "{what}: {found:?}");
    };
    one(&[("RUNBOOKS/Slow.md", None)], "RUNBOOKS/Slow.md is not there");
    let unlinked = RULES.replace("runbook_url: RUNBOOKS/Slow.md", "summary: x");
    one(&[(ALERTS, Some(&unlinked))], "its runbook is ``");
    let elsewhere = RULES.replace("RUNBOOKS/Slow.md", "RUNBOOKS/Other.md");
    one(&[(ALERTS, Some(&elsewhere))], "its runbook is `RUNBOOKS/Other.md`");
    one(&[("RUNBOOKS/Lost.md", Some("# Lost\n"))], "there is no alert Lost");
    one(&[(TESTS, Some("tests: []\n"))], "nothing tests Slow");
    one(&[("RUNBOOKS/Slow.md", Some("`GET /v1/nowhere`"))], "no service has /v1/nowhere");
    one(&[(ALERTS, None)], "is missing");
}

#[test]
fn rules_and_dashboards_name_what_the_schema_has() {
    let in_rule = |from: &str, to: &str, what: &str| {
        assert!(RULES.contains(from), "{from}");
        let found = complaints(&[(ALERTS, Some(&RULES.replace(from, to)))]);
        assert!(found.iter().any(|found| found.contains(what)), "{to}: {found:?}");
    };
    in_rule("ledger_orders_total", "ledger_order_total", "`ledger_order_total`");
    in_rule("ledger_orders_total", "ledger_orders", "`ledger_orders`");
    in_rule("outcome=", "result=", "label `result`");
    in_rule("by (job)", "by (route)", "label `route`");
    in_rule("sum by (job) (rate(ledger_orders_total{outcome=\"busy\"}[5m])) > 1", "1 > 0", "asks for nothing");
    let block = RULES.replace("expr: sum", "expr: |\n          sum");
    assert!(complaints(&[(ALERTS, Some(&block))])[0].contains("does not stand in one line"));
    let board = "infra/watching/dashboards/a.json";
    let renamed = BOARD.replace("ledger_outbox_lag_seconds", "ledger_outbox_lag");
    for (text, what) in [
        (renamed.as_str(), "a.json: the schema has no metric that is `ledger_outbox_lag`"),
        ("{\"panels\": []}", "asks for nothing"),
        ("panels", "is no JSON"),
    ] {
        let found = complaints(&[(board, Some(text))]);
        assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
    }
    assert!(complaints(&[(board, None)])[0].contains("no dashboards"));
}

#[test]
fn a_query_is_taken_apart() {
    let found = parts(
        "histogram_quantile(0.99, sum by (le) (rate(a_bucket{b=~\"x|y_total\", c!=\"\"}[5m]))) > 2 and on(d) e unless f offset 10m or up",
    );
    assert_eq!(found.series, ["a_bucket", "e", "f", "up"].into());
    assert_eq!(found.labels, ["le", "b", "c", "d"].into());
}

/// By the tool that Prometheus itself reads rules with: Debian's, fetched without installing it.
#[test]
fn prometheus_reads_the_rules_and_each_alert_fires_when_it_should() {
    let say = |line: &str| drop(std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes()));
    let tool = match ladder::prometheus::Software::bring(&place::target(), say) {
        Ok(software) => software.promtool,
        Err(why) => return may_be_missing("Prometheus", "REDOUBT_PROMETHEUS_WAIVED", &why),
    };
    let folder = place::root().join("infra/watching");
    let run = |folder: &Path, arguments: &[&str]| {
        let output = Command::new(&tool).args(arguments).current_dir(folder).output().unwrap();
        (
            output.status.success(),
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        )
    };
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        let (good, said) = run(&folder, &arguments);
        assert!(good, "{arguments:?}: {said}");
    }
    // A rule that never fires is seen.
    let broken = std::env::temp_dir().join(format!("redoubt-rules-{}", std::process::id()));
    std::fs::create_dir_all(&broken).unwrap();
    let rules = std::fs::read_to_string(folder.join("alerts.yaml")).unwrap();
    std::fs::copy(folder.join("alerts.test.yaml"), broken.join("alerts.test.yaml")).unwrap();
    std::fs::write(
        broken.join("alerts.yaml"),
        rules.replace("ledger_books_violations > 0", "ledger_books_violations > 9"),
    )
    .unwrap();
    let (good, said) = run(&broken, &["test", "rules", "alerts.test.yaml"]);
    assert!(!good && said.contains("BooksWrong"), "{said}");
    std::fs::remove_dir_all(&broken).unwrap();
}

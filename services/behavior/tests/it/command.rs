//! What the command says to what it cannot use.

use std::path::Path;

use crate::{behaviorctl, own, printed, scratch};

/// A few payments: the second user's last one is fraud.
const PAYMENTS: &str =
    "tx_seconds,customer_id,terminal_id,amount,fraud,scenario\n9936000,1,9,5.0,0,0\n9936001,2,9,50.0,1,1\n";

fn file(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn refusal(data: &str, model: &str, rules: &str) -> String {
    let output = behaviorctl(&["backtest", "--data", data, "--model", model, "--rules", rules]);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn features_are_printed_of_the_days_that_train_with_what_turned_out() {
    let scratch = scratch("features");
    let data = file(&scratch, "payments.csv", PAYMENTS);
    let csv = printed(behaviorctl(&["features", "--data", &data]));
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], format!("# features_version {}", behavior::features::VERSION));
    assert!(lines[1].starts_with("amount,amount_deviations,") && lines[1].ends_with(",fraud"), "{csv}");
    assert!(lines[2].starts_with("5,0,") && lines[2].ends_with(",0"), "{csv}");
    assert!(lines[3].starts_with("50,0,") && lines[3].ends_with(",1"), "{csv}");
}

#[test]
fn what_does_not_fit_is_refused_with_its_file_and_its_reason() {
    let scratch = scratch("refusals");
    let (model, rules) = (own("model/card-payments.json"), own("rules/payments.toml"));
    let data = file(&scratch, "payments.csv", PAYMENTS);
    let said = refusal(&scratch.join("none.csv").to_string_lossy(), &model, &rules);
    assert!(said.contains("none.csv") && said.contains("No such file"), "{said}");
    let said = refusal(&file(&scratch, "broken.csv.gz", "this is no gzip"), &model, &rules);
    assert!(said.contains("gzip cannot unpack"), "{said}");
    let said = refusal(&file(&scratch, "other.csv", "a,b\n1,2\n"), &model, &rules);
    assert!(said.contains("the data begins with \"a,b\""), "{said}");
    let old = std::fs::read_to_string(&model).unwrap().replace("\"features_version\": 3", "\"features_version\": 0");
    let said = refusal(&data, &file(&scratch, "old.json", &old), &rules);
    assert!(
        said.contains(
            "old.json: model \"card-payments-1\" was trained on version 0 of the features, this build has version 3"
        ),
        "{said}"
    );
    let other = std::fs::read_to_string(&rules).unwrap().replace("count_1m", "count_2m");
    let said = refusal(&data, &model, &file(&scratch, "other.toml", &other));
    assert!(
        said.contains("other.toml: the rules \"payments-3\": \"burst\" asks for the feature \"count_2m\""),
        "{said}"
    );
    let said = refusal(&data, &model, &rules);
    assert!(said.contains("in the days of test there is no fraud"), "{said}");
}

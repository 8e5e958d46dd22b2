//! The model that is used is the one that `training/train.py` makes of the published payments.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{behaviorctl, own, payments, printed, scratch};

#[test]
fn training_makes_the_model_that_is_used() {
    let Some(payments) = payments() else { return };
    let requirements = std::fs::read_to_string(own("training/requirements.txt")).unwrap();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let packages = match testkit::tools::python(place, "training", "", &requirements) {
        Ok(packages) => packages,
        Err(reason) => {
            testkit::missing::may_be_missing("Python's lightgbm", "REDOUBT_PIP_WAIVED", &reason);
            return;
        }
    };
    let scratch = scratch("training");
    let (features, model) = (scratch.join("features.csv"), scratch.join("model.json"));
    std::fs::write(&features, printed(behaviorctl(&["features", "--data", &payments]))).unwrap();
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).arg(own("training/train.py")).args([&features, &model]);
    printed(python.output().unwrap());
    let [made, used] = [model.to_str().unwrap(), &own("model/card-payments.json")]
        .map(|file| serde_json::from_str::<Value>(&std::fs::read_to_string(file).unwrap()).unwrap());
    same("model", &made, &used);
}

/// The same but for the last digits of figures, in which machines differ.
fn same(place: &str, one: &Value, other: &Value) {
    match (one, other) {
        (Value::Array(ones), Value::Array(others)) => {
            assert_eq!(ones.len(), others.len(), "{place}");
            ones.iter()
                .zip(others)
                .enumerate()
                .for_each(|(n, (one, other))| same(&format!("{place}[{n}]"), one, other));
        }
        (Value::Object(ones), Value::Object(others)) => {
            assert!(ones.keys().eq(others.keys()), "{place}");
            ones.iter().for_each(|(name, one)| same(&format!("{place}.{name}"), one, &others[name]));
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            assert!((one - other).abs() <= 1e-9 * one.abs().max(1.0), "{place}: {one} is not {other}");
        }
        _ => assert_eq!(one, other, "{place}"),
    }
}

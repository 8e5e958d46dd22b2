//! How good it is on the published split, beside what was published on it.

use crate::{behaviorctl, own, payments, printed};

/// The best that was published: each by another model (random forest 0.658 and 0.867, logistic regression 0.291).
const PUBLISHED: [f64; 3] = [0.867, 0.658, 0.291];

#[test]
fn the_model_is_better_than_the_best_that_was_published_and_rules_do_not_spoil_it() {
    let Some(payments) = payments() else { return };
    let (model, rules) = (own("model/card-payments.json"), own("rules/payments.toml"));
    let table = printed(behaviorctl(&["backtest", "--data", &payments, "--model", &model, "--rules", &rules]));
    // A passing test keeps it to itself, but for `--nocapture`.
    print!("{table}");
    assert!(table.contains("58264 payments tested, 385 of them fraud"), "it is the published split: {table}");
    for judge in ["model alone", "both"] {
        let row = table.lines().find_map(|line| line.strip_prefix(judge)).expect("a row for each judge");
        let figures: Vec<f64> = row.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        for (figure, published) in figures.iter().zip(PUBLISHED) {
            assert!(*figure > published, "{judge}: {figure} is not above {published}\n{table}");
        }
        assert_eq!(figures.len(), PUBLISHED.len());
    }
}

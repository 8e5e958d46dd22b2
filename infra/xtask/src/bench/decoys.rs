//! `cargo xtask bench decoys`: what a phone can tell of genuine answers and decoys by their time. Genuine phones and liars ask in turn, and a
//! classifier that has both on hand learns on one half of the times and is judged on the other; 0.5 is chance.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::figure;
use crate::stack::Stack;

/// Answers of each kind in each case, by so many phones at once.
const EFFORT: &str = r#"{"answers":1600,"lanes":4}"#;
/// The share of ten answers together that may be told rightly.
const TARGET: f64 = 0.55;

pub(super) fn measure(stack: &mut Stack) -> Result<()> {
    println!("\ngenuine answers and decoys over HTTPS, by turns, {EFFORT}:");
    let report = stack.measure("story", &["classify".to_owned(), EFFORT.to_owned()])?;
    let cases = report.as_array().context("the report is no list")?;
    let mut most = 0.0_f64;
    for case in cases {
        let name = case.get("case").and_then(Value::as_str).context("a case without a name")?;
        let of_ten = figure(case, "of_ten")?;
        most = most.max(of_ten);
        println!(
            "  {name:<32} genuine {:>6.2} ms  decoy {:>6.2} ms (medians)  told rightly: one {:.3}, ten together {of_ten:.3}",
            figure(case, "genuine_millis")?,
            figure(case, "decoy_millis")?,
            figure(case, "of_one")?,
        );
    }
    println!("\nten together, worst case: {most:.3}");
    ensure!(most <= TARGET, "decoys are told in {most:.3} of all cases; the target is {TARGET}");
    Ok(())
}

//! The figures by which fraud detectors are compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::events::Key;

/// One payment with what was said of it and what turned out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// When.
    pub day: i64,
    /// Who paid.
    pub user: Key,
    /// What turned out.
    pub fraud: bool,
    /// What was said.
    pub score: f64,
}

/// Of all, the quality of a detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// How likely a fraud is scored higher than an honest payment: the area under the ROC curve.
    pub auc: f64,
    /// The precision at every recall, averaged: the area under the steps of the precision-recall curve.
    pub average_precision: f64,
    /// Of 100 cards looked at each day, those that were compromised: the mean of the days. A card that was found is not looked at again.
    pub card_precision: f64,
}

impl Quality {
    /// The figures of these payments; nothing if there was no fraud, or nothing else.
    #[must_use]
    pub fn of(scored: &[Scored]) -> Option<Self> {
        let steps = steps(scored);
        Some(Self {
            auc: auc(&steps)?,
            average_precision: average_precision(&steps)?,
            card_precision: card_precision(scored, 100),
        })
    }
}

/// How many frauds and honest payments have one score, from the highest score down.
fn steps(scored: &[Scored]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<&Scored> = scored.iter().collect();
    sorted.sort_by(|one, other| other.score.total_cmp(&one.score));
    let alike = sorted.chunk_by(|one, other| one.score.total_cmp(&other.score).is_eq());
    let count = |alike: &[&Scored], fraud| alike.iter().filter(|scored| scored.fraud == fraud).map(|_| 1.0).sum();
    alike.map(|alike| (count(alike, true), count(alike, false))).collect()
}

/// How many frauds and honest payments there are; nothing if one of them is missing.
fn totals(steps: &[(f64, f64)]) -> Option<(f64, f64)> {
    let sum = |of: fn(&(f64, f64)) -> f64| steps.iter().map(of).sum::<f64>();
    let (frauds, honest) = (sum(|step| step.0), sum(|step| step.1));
    (frauds > 0.0 && honest > 0.0).then_some((frauds, honest))
}

fn auc(steps: &[(f64, f64)]) -> Option<f64> {
    let (frauds, honest) = totals(steps)?;
    let (mut above, mut area) = (0.0, 0.0);
    for (fraud, innocent) in steps {
        area += innocent * (above + fraud / 2.0);
        above += fraud;
    }
    Some(area / (frauds * honest))
}

fn average_precision(steps: &[(f64, f64)]) -> Option<f64> {
    let (frauds, _) = totals(steps)?;
    let (mut found, mut looked_at, mut area) = (0.0, 0.0, 0.0);
    for (fraud, innocent) in steps {
        found += fraud;
        looked_at += fraud + innocent;
        area += fraud * found / looked_at;
    }
    Some(area / frauds)
}

fn card_precision(scored: &[Scored], cards: u32) -> f64 {
    let mut days: BTreeMap<i64, HashMap<Key, (f64, bool)>> = BTreeMap::new();
    for payment in scored {
        let card = days.entry(payment.day).or_default().entry(payment.user).or_insert((payment.score, false));
        *card = (card.0.max(payment.score), card.1 || payment.fraud);
    }
    let mut found: BTreeSet<Key> = BTreeSet::new();
    let mut precision = 0.0;
    for cards_of_day in days.values() {
        let mut ranked: Vec<_> = cards_of_day.iter().filter(|(user, _)| !found.contains(*user)).collect();
        ranked.sort_by(|one, other| other.1.0.total_cmp(&one.1.0).then(one.0.cmp(other.0)));
        let looked_at = ranked.into_iter().zip(0..cards);
        let compromised: Vec<Key> = looked_at.filter(|((_, card), _)| card.1).map(|((user, _), _)| *user).collect();
        precision += compromised.iter().map(|_| 1.0).sum::<f64>() / f64::from(cards);
        found.extend(compromised);
    }
    precision / days.values().map(|_| 1.0).sum::<f64>().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(rows: &[(i64, Key, f64, bool)]) -> Vec<Scored> {
        rows.iter()
            .map(|(day, user, score, fraud)| Scored { day: *day, user: *user, score: *score, fraud: *fraud })
            .collect()
    }

    fn close(one: f64, other: f64) {
        assert!((one - other).abs() < 1e-12, "{one} is not {other}");
    }

    /// The figures that scikit-learn 1.9.1 gives for the same: `roc_auc_score` and `average_precision_score`.
    #[test]
    fn the_figures_are_those_of_scikit_learn() {
        let rows = [(0.1, false), (0.4, false), (0.35, true), (0.8, true), (0.8, false), (0.2, true), (0.05, false)];
        let rows: Vec<_> = rows.iter().zip(0..).map(|((score, fraud), user)| (0, user, *score, *fraud)).collect();
        let quality = Quality::of(&scored(&rows)).expect("both kinds are there");
        close(quality.auc, AUC);
        close(quality.average_precision, AVERAGE_PRECISION);
    }

    const AUC: f64 = 0.625;
    const AVERAGE_PRECISION: f64 = 8.0 / 15.0;

    #[test]
    fn a_card_that_was_found_is_not_looked_at_again() {
        let rows = [(1, 7, 0.9, true), (1, 8, 0.8, false), (1, 9, 0.1, true), (2, 7, 0.9, true), (2, 9, 0.5, true)];
        close(card_precision(&scored(&rows), 1), 1.0);
        close(card_precision(&scored(&rows), 2), 0.5);
        close(card_precision(&scored(&rows), 3), 1.0 / 3.0);
    }

    #[test]
    fn without_a_fraud_there_is_no_quality() {
        assert_eq!(Quality::of(&scored(&[(1, 1, 0.5, false)])), None);
        assert_eq!(Quality::of(&[]), None);
    }
}

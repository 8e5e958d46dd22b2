//! What is usual: a mean and a deviation that follow a user slowly, and that no single outlier moves.

/// After so many values each new one weighs the same, and the oldest fade.
const MEMORY: f64 = 100.0;
/// Before so many values nothing is called unusual.
const ENOUGH: f64 = 3.0;
/// What is further away counts as if it were so many deviations away: a thief's payments do not become the user's habit in one night, and a user whose life has
/// changed is learned all the same, if slowly.
const REACH: f64 = 3.0;
/// The least deviation, as a share of the mean: who always pays the same may pay a little more.
const LEAST: f64 = 0.05;

/// Exponentially weighted mean and variance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usual {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Usual {
    /// How many deviations `value` lies above what is usual; 0 as long as too little is known.
    pub(crate) fn deviations(&self, value: f64) -> f64 {
        if self.count < ENOUGH { 0.0 } else { (value - self.mean) / self.deviation() }
    }

    /// How many values it was made of, up to [`MEMORY`].
    pub(crate) fn count(&self) -> f64 {
        self.count
    }

    fn deviation(&self) -> f64 {
        // A hundredth of a unit when the mean is 0: no division by nothing.
        self.variance.sqrt().max(self.mean.abs() * LEAST).max(0.01)
    }

    /// Learns `value`.
    pub(crate) fn learn(&mut self, value: f64) {
        let value = if self.count < ENOUGH {
            value
        } else {
            let reach = REACH * self.deviation();
            value.clamp(self.mean - reach, self.mean + reach)
        };
        self.count = (self.count + 1.0).min(MEMORY);
        let weight = 1.0 / self.count;
        let difference = value - self.mean;
        self.mean += weight * difference;
        self.variance = (1.0 - weight) * (self.variance + weight * difference * difference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Usual {
        let mut usual = Usual::default();
        values.into_iter().for_each(|value| usual.learn(value));
        usual
    }

    #[test]
    fn mean_and_variance_of_the_first_hundred_are_those_of_the_textbook() {
        let values: Vec<f64> = (0..100).map(|n| 50.0 + f64::from(n % 7)).collect();
        let mean = values.iter().sum::<f64>() / 100.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 100.0;
        let usual = of(values);
        assert!((usual.mean - mean).abs() < 1e-9, "{} is not {mean}", usual.mean);
        assert!((usual.variance - variance).abs() < 1e-9, "{} is not {variance}", usual.variance);
    }

    #[test]
    fn an_outlier_is_seen_and_hardly_learned() {
        let mut usual = of((0..50).map(|n| 20.0 + f64::from(n % 5)));
        let before = usual.mean;
        assert!(usual.deviations(5_000.0) > 1_000.0);
        usual.learn(5_000.0);
        assert!(usual.mean - before < 0.1, "one payment moved the mean by {}", usual.mean - before);
        assert!(usual.deviations(5_000.0) > 1_000.0, "the second one is no news");
    }

    #[test]
    fn nothing_is_unusual_while_too_little_is_known() {
        let usual = of([5.0, 6.0]);
        assert_eq!(usual.deviations(1e9).total_cmp(&0.0), std::cmp::Ordering::Equal);
        assert!(of([5.0, 6.0, 5.5]).deviations(1e9) > 1.0);
    }

    #[test]
    fn who_always_pays_the_same_may_pay_a_little_more() {
        let usual = of([100.0; 60]);
        assert!(usual.deviations(105.0) < 1.1);
    }
}

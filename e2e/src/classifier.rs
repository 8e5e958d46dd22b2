//! A classifier of times: what somebody who asks again and again can tell of two kinds of answers by how long they take.
//!
//! It learns on one half of the times and is judged on the other, so that it gets no credit for chance. It may look at one answer, or at the
//! mean, median, smallest or largest of several, and takes whichever served it best while it learned.

/// One source of times, in microseconds.
pub type Times = Vec<f64>;

/// Groups that are drawn of each kind, to learn and to be judged.
const GROUPS: usize = 4000;

type Statistic = fn(&mut [f64]) -> f64;

/// What may be looked at.
const STATISTICS: [Statistic; 4] = [mean, median, smallest, largest];

/// The share of groups of `size` answers that are told rightly; 0.5 is chance. None if there are too few times.
pub fn accuracy(one: &Times, other: &Times, size: usize, seed: u64) -> Option<f64> {
    let half = |times: &Times, part: usize| -> Times { times.iter().skip(part).step_by(2).copied().collect() };
    if one.len() < 2 * size.max(2) || other.len() < 2 * size.max(2) || size == 0 {
        return None;
    }
    let mut dice = Dice(seed);
    let learned = STATISTICS.into_iter().map(|statistic| {
        let one = groups(&half(one, 0), size, statistic, &mut dice);
        let other = groups(&half(other, 0), size, statistic, &mut dice);
        (Rule::learn(&one, &other), statistic)
    });
    let ((rule, _), statistic) = learned.max_by(|a, b| a.0.1.total_cmp(&b.0.1))?;
    let (one, other) = (half(one, 1), half(other, 1));
    let (one, other) = (groups(&one, size, statistic, &mut dice), groups(&other, size, statistic, &mut dice));
    Some(rule.accuracy(&one, &other))
}

/// Above the threshold it is said to be of the one kind, or of the other.
#[derive(Debug, Clone, Copy)]
struct Rule {
    threshold: f64,
    one_is_above: bool,
}

impl Rule {
    /// The threshold and direction that tell most groups rightly, and how many.
    fn learn(one: &[f64], other: &[f64]) -> (Self, f64) {
        let mut all: Vec<(f64, bool)> = one.iter().map(|time| (*time, true)).collect();
        all.extend(other.iter().map(|time| (*time, false)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut best = (Self { threshold: f64::MIN, one_is_above: true }, 0.5);
        let (mut ones_below, mut others_below) = (0, 0);
        for (threshold, is_one) in all {
            *(if is_one { &mut ones_below } else { &mut others_below }) += 1;
            let share = share(others_below + one.len() - ones_below, one.len() + other.len());
            for (one_is_above, share) in [(true, share), (false, 1.0 - share)] {
                if share > best.1 {
                    best = (Self { threshold, one_is_above }, share);
                }
            }
        }
        best
    }

    fn accuracy(self, one: &[f64], other: &[f64]) -> f64 {
        let says_one = |time: &&f64| (**time > self.threshold) == self.one_is_above;
        let right = one.iter().filter(says_one).count() + other.iter().filter(|time| !says_one(time)).count();
        share(right, one.len() + other.len())
    }
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Groups at random, some times in several of them.
fn groups(times: &Times, size: usize, statistic: Statistic, dice: &mut Dice) -> Vec<f64> {
    let draw = |dice: &mut Dice| -> f64 {
        let mut group: Vec<f64> = (0..size).filter_map(|_| times.get(dice.below(times.len())).copied()).collect();
        statistic(&mut group)
    };
    (0..GROUPS).map(|_| draw(dice)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "some tens")]
fn mean(group: &mut [f64]) -> f64 {
    group.iter().sum::<f64>() / group.len() as f64
}

fn median(group: &mut [f64]) -> f64 {
    group.sort_by(f64::total_cmp);
    group.get(group.len() / 2).copied().unwrap_or_default()
}

fn smallest(group: &mut [f64]) -> f64 {
    group.iter().copied().fold(f64::MAX, f64::min)
}

fn largest(group: &mut [f64]) -> f64 {
    group.iter().copied().fold(f64::MIN, f64::max)
}

/// `SplitMix64`: chance enough to draw groups with, and the same again from the same seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from((mixed ^ (mixed >> 31)) % bound).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two thousand times around 50 ms, with a spread of about one.
    fn times(seed: u64, shift: f64) -> Times {
        let mut dice = Dice(seed);
        let mut noise = || (0..12).map(|_| f64::from(u32::try_from(dice.below(1000)).unwrap())).sum::<f64>() / 6.0;
        (0..2000).map(|_| 50_000.0 + noise() + shift).collect()
    }

    #[test]
    fn what_is_the_same_is_told_by_chance_only() {
        for seed in 1..6 {
            for size in [1, 10] {
                let found = accuracy(&times(seed, 0.0), &times(seed + 100, 0.0), size, seed).unwrap();
                assert!((0.45..=0.55).contains(&found), "{found}");
            }
        }
    }

    #[test]
    fn half_a_spread_is_found_in_ten_answers_in_either_direction() {
        for (one, other) in [(0.0, 85.0), (85.0, 0.0)] {
            assert!(accuracy(&times(1, one), &times(2, other), 10, 3).unwrap() > 0.75);
            assert!(accuracy(&times(1, 10.0 * one), &times(2, 10.0 * other), 1, 3).unwrap() > 0.97);
        }
    }

    /// Of one kind, one answer in ten is late: its largest tells.
    #[test]
    fn a_tail_is_found_too() {
        let mut late = times(1, 0.0);
        late.iter_mut().skip(3).step_by(9).for_each(|time| *time += 20_000.0);
        assert!(accuracy(&late, &times(2, 0.0), 10, 3).unwrap() > 0.8);
    }

    #[test]
    fn too_few_times_are_no_ground_for_a_figure() {
        assert_eq!(accuracy(&vec![1.0; 3], &vec![1.0; 100], 1, 1), None);
        assert_eq!(accuracy(&vec![1.0; 19], &vec![1.0; 100], 10, 1), None);
    }
}

//! Past payments with what turned out, a line each, in the order of their time: `tx_seconds,customer_id,terminal_id,amount,fraud,scenario`.

use std::collections::VecDeque;
use std::io::BufRead;

use crate::events::{DAY, Fraud, Key, Origin, Payment, Seconds, WEEK};
use crate::features::Features;
use crate::profiles::Profiles;

/// What the columns are called.
const HEADER: &str = "tx_seconds,customer_id,terminal_id,amount,fraud,scenario";
/// Where `tx_seconds` counts from: 2018-04-01 00:00 UTC.
const BEGINNING: Seconds = 1_522_540_800;
/// So long after a payment it becomes known that it was fraud.
const LABEL_DELAY: Seconds = WEEK;

/// Why the data cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// It cannot be read.
    #[error("the data cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The first line is not as expected.
    #[error("the data begins with \"{0}\", not with \"{HEADER}\"")]
    Header(String),
    /// A line is no payment.
    #[error("line {line} of the data is no payment of the past: \"{text}\"")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

/// One payment, as it looked when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Played {
    /// The day from the beginning of the data.
    pub day: i64,
    /// Who paid.
    pub user: Key,
    /// What turned out.
    pub fraud: bool,
    /// How it looked.
    pub features: Features,
}

/// Plays payments one after another; what turned out is learned a week later, as in life.
#[derive(Debug)]
pub struct Replay<R> {
    lines: std::iter::Enumerate<std::io::Lines<R>>,
    profiles: Profiles,
    unknown: VecDeque<Fraud>,
    now: Seconds,
}

impl<R: BufRead> Replay<R> {
    /// Begins.
    ///
    /// # Errors
    /// [`DatasetError`]: the first line is another one.
    pub fn new(data: R) -> Result<Self, DatasetError> {
        let mut lines = data.lines().enumerate();
        let header = lines.next().map_or(Ok(String::new()), |(_, line)| line)?; // Default: no line is an empty one
        if header.trim_end() != HEADER {
            return Err(DatasetError::Header(header.chars().take(100).collect()));
        }
        Ok(Self { lines, profiles: Profiles::default(), unknown: VecDeque::new(), now: Seconds::MIN })
    }

    fn play(&mut self, number: usize, text: &str) -> Result<Played, DatasetError> {
        let read = read(text).filter(|(payment, _)| payment.at >= self.now);
        let Some((payment, fraud)) = read else {
            return Err(DatasetError::Line { line: number + 1, text: text.chars().take(100).collect() });
        };
        self.now = payment.at;
        while let Some(known) = self.unknown.pop_front_if(|fraud| fraud.paid_at + LABEL_DELAY <= payment.at) {
            self.profiles.learn_fraud(&known);
        }
        let features = self.profiles.look_at(&payment, Origin::default());
        self.profiles.learn(&payment);
        if fraud {
            self.unknown.push_back(Fraud { paid_at: payment.at, payee: payment.payee });
        }
        Ok(Played { day: (payment.at - BEGINNING).div_euclid(DAY), user: payment.user, fraud, features })
    }
}

impl<R: BufRead> Iterator for Replay<R> {
    type Item = Result<Played, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, line) = self.lines.next()?;
        Some(line.map_err(DatasetError::from).and_then(|line| self.play(number, line.trim_end())))
    }
}

/// The payment of a line, and whether it was fraud.
fn read(line: &str) -> Option<(Payment, bool)> {
    let mut fields = line.split(',');
    let mut next = || fields.next();
    let seconds: Seconds = next()?.parse().ok()?;
    let user = next()?.parse().ok()?;
    let payee = next()?.parse().ok()?;
    let amount: f64 = next()?.parse().ok()?;
    let fraud = match next()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let payment = Payment { at: BEGINNING.checked_add(seconds)?, user, payee, amount };
    amount.is_finite().then_some((payment, fraud))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Feature;

    fn play(lines: &str) -> Vec<Result<Played, String>> {
        let replay = Replay::new(format!("{HEADER}\n{lines}").into_bytes().leak() as &[u8]).expect("the header");
        replay.map(|played| played.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn a_fraud_is_known_a_week_later_and_not_before() {
        let week = WEEK;
        let lines = format!("0,1,9,5.0,1,2\n{},2,9,5.0,0,0\n{},3,9,5.0,0,0\n", week - 1, week);
        let frauds: Vec<f64> = play(&lines)
            .into_iter()
            .map(|played| played.expect("a payment").features.get(Feature::PayeeRunFrauds))
            .collect();
        assert_eq!(frauds, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn a_payment_is_not_in_its_own_past() {
        let played = play("0,1,9,5.0,0,0\n1,1,9,5.0,0,0\n");
        let times = |place: usize| played[place].as_ref().map(|played| played.features.get(Feature::PayeeCount));
        assert_eq!((times(0), times(1)), (Ok(0.0), Ok(1.0)));
    }

    #[test]
    fn what_is_no_payment_is_named_by_its_line() {
        for bad in ["0,1,9,5.0,2,0", "0,1,9,nan,0,0", "0,1,9", "x,1,9,5.0,0,0", "9223372036854775807,1,9,5.0,0,0"] {
            let said = play(&format!("5,1,9,5.0,0,0\n{bad}\n")).pop().expect("a line").expect_err("it is no payment");
            assert!(said.starts_with("line 3 of the data is no payment"), "{bad}: {said}");
        }
        let back = play("5,1,9,5.0,0,0\n4,1,9,5.0,0,0\n").pop().expect("a line");
        assert!(back.is_err(), "time does not go back");
        assert!(matches!(Replay::new(&b"a,b\n"[..]), Err(DatasetError::Header(_))));
    }
}

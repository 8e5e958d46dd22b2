//! A plot of amounts over time, as an SVG element of the page. It has no size of its own: across, places are percentages, so that letters stay as large on a phone.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::short;
use crate::events::figure;

/// From the top of the picture to the highest line, in pixels, and from there to the lowest.
const TOP: f64 = 14.0;
const HEIGHT: f64 = 210.0;
/// Lines across, at most, beside that of nothing.
const LINES: f64 = 4.0;
/// Dates below.
const DATES: i32 = 4;

/// One payment.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) at: DateTime<Utc>,
    /// In major units.
    pub(super) amount: f64,
    pub(super) kind: Kind,
    /// Whether the last word on it is that it was fraud.
    pub(super) fraud: bool,
    /// What is said of it.
    pub(super) says: String,
}

/// How a payment is marked: each by its form, not by its color alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It was made.
    Made,
    /// It was asked about, and not made.
    Asked,
    /// It is the one that is looked at.
    Case,
}

/// Something at a place.
#[derive(Debug, PartialEq)]
pub(super) struct Dot {
    /// In percent of the width, with its sign.
    pub(super) x: String,
    /// In pixels.
    pub(super) y: String,
    pub(super) kind: Kind,
    pub(super) fraud: bool,
    pub(super) says: String,
    /// Whether what is said beside it goes to the left.
    pub(super) left: bool,
}

impl Dot {
    /// As the style sheet calls it.
    pub(super) const fn class(&self) -> &'static str {
        match self.kind {
            Kind::Made => "made",
            Kind::Asked => "asked",
            Kind::Case => "case",
        }
    }

    pub(super) const fn is_case(&self) -> bool {
        matches!(self.kind, Kind::Case)
    }
}

/// A figure beside an axis.
#[derive(Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) place: String,
    pub(super) says: String,
}

/// The picture.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) lines: Vec<Tick>,
    pub(super) dates: Vec<Tick>,
    /// The one that is looked at is the last, above all others.
    pub(super) dots: Vec<Dot>,
}

impl Plot {
    /// Of some points; none if there are none.
    pub(super) fn of(mut points: Vec<Point>) -> Option<Self> {
        points.sort_by_key(|point| (point.kind == Kind::Case, point.at));
        let first = points.iter().map(|point| point.at).min()?;
        let last = points.iter().map(|point| point.at).max()?;
        let most = points.iter().map(|point| point.amount).fold(0.0, f64::max);
        let step = step(most / LINES);
        let top = step * (most / step).ceil().max(1.0);
        let y = |amount: f64| format!("{:.1}", TOP + HEIGHT * (1.0 - amount / top));
        let lines = std::iter::successors(Some(0.0), |line| Some(line + step));
        let lines = lines.take_while(|line| *line < top + step / 2.0);
        let lines = lines.map(|line| Tick { place: y(line), says: short(line) }).collect();
        let span = last - first;
        let share = |at: DateTime<Utc>| {
            // Of a moment, and of one payment, the middle.
            if span.is_zero() {
                50.0
            } else {
                figure((at - first).num_milliseconds()) / figure(span.num_milliseconds()) * 100.0
            }
        };
        let dots = points.into_iter().map(|point| {
            let share = share(point.at);
            let Point { amount, kind, fraud, says, .. } = point;
            Dot { x: format!("{share:.2}%"), y: y(amount), kind, fraud, says, left: share > 50.0 }
        });
        Some(Self { lines, dates: dates(first, span), dots: dots.collect() })
    }
}

/// Moments at equal distances, from the first to the last.
fn dates(first: DateTime<Utc>, span: TimeDelta) -> Vec<Tick> {
    let form = if span > TimeDelta::days(300) {
        "%b %Y"
    } else if span > TimeDelta::days(3) {
        "%-d %b"
    } else {
        "%-d %b %H:%M"
    };
    if span.is_zero() {
        return vec![Tick { place: "50%".to_owned(), says: first.format(form).to_string() }];
    }
    // Two hold what has hours.
    let count = if form.ends_with("%M") { 2 } else { DATES };
    let tick = |n: i32| {
        let at = first + span / (count - 1) * n;
        let place = f64::from(n) / f64::from(count - 1) * 100.0;
        Tick { place: format!("{place:.2}%"), says: at.format(form).to_string() }
    };
    (0..count).map(tick).collect()
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is no less, and no less than a cent.
fn step(least: f64) -> f64 {
    let least = least.max(0.01);
    let power = 10_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 2.5, 5.0].into_iter().find(|times| times * power >= least);
    times.unwrap_or(10.0) * power // Default: the next power.
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(days: i64, amount: f64, kind: Kind) -> Point {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(days);
        Point { at, amount, kind, fraud: false, says: String::new() }
    }

    #[test]
    fn lines_are_round_and_the_highest_is_above_all() {
        for (most, says) in [
            (950.0, ["0", "250", "500", "750", "1000"].as_slice()),
            (1_000.0, &["0", "250", "500", "750", "1000"]),
            (20.0, &["0", "5", "10", "15", "20"]),
            (0.01, &["0", "0.01"]),
            (1e12, &["0", "250B", "500B", "750B", "1000B"]),
            (81_000.0, &["0", "25k", "50k", "75k", "100k"]),
        ] {
            let plot = Plot::of(vec![point(0, most, Kind::Case)]).unwrap();
            let lines: Vec<&str> = plot.lines.iter().map(|line| line.says.as_str()).collect();
            assert_eq!(lines, says, "{most}");
            assert_eq!(plot.lines.last().unwrap().place, format!("{TOP:.1}"), "{most}");
            let dot: f64 = plot.dots[0].y.parse().unwrap();
            assert!((TOP..=TOP + HEIGHT).contains(&dot), "{most}: {dot}");
        }
    }

    #[test]
    fn a_point_stands_at_its_time_and_the_case_above_all_others() {
        let points = vec![
            point(4, 5.0, Kind::Case),
            point(0, 10.0, Kind::Made),
            point(16, 0.0, Kind::Asked),
            point(2, 1.0, Kind::Made),
        ];
        let plot = Plot::of(points).unwrap();
        let places: Vec<_> = plot.dots.iter().map(|dot| (dot.x.as_str(), dot.y.as_str(), dot.kind, dot.left)).collect();
        assert_eq!(
            places,
            [
                ("0.00%", "14.0", Kind::Made, false),
                ("12.50%", "203.0", Kind::Made, false),
                ("100.00%", "224.0", Kind::Asked, true),
                ("25.00%", "119.0", Kind::Case, false),
            ]
        );
        let dates: Vec<_> = plot.dates.iter().map(|tick| (tick.place.as_str(), tick.says.as_str())).collect();
        assert_eq!(dates, [("0.00%", "1 Jan"), ("33.33%", "6 Jan"), ("66.67%", "11 Jan"), ("100.00%", "17 Jan")]);
    }

    #[test]
    fn nothing_has_no_picture_and_one_moment_stands_in_the_middle() {
        assert!(Plot::of(Vec::new()).is_none());
        let plot = Plot::of(vec![point(0, 1.0, Kind::Made), point(0, 2.0, Kind::Case)]).unwrap();
        assert!(plot.dots.iter().all(|dot| dot.x == "50.00%") && plot.dates.len() == 1);
        // However far apart: times are from 1970 on, and amounts 10¹² at most.
        let far = Plot::of(vec![point(0, 1e12, Kind::Made), point(20_000_000, 0.01, Kind::Case)]).unwrap();
        assert_eq!((far.dots.len(), far.dates.len(), far.dates[0].says.as_str()), (2, 4, "Jan 1970"));
    }
}

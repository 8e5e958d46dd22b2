//! How many audit lines there are in one second. Whoever sends us what is refused decides how many there would be: so of callers that nobody knows,
//! only so many of a kind are written, and the next one says how many had none. All of them are counted in the metrics.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// One second, and what became of its lines.
#[derive(Debug, Default)]
pub(crate) struct Window {
    second: i64,
    lines: u32,
    suppressed: u64,
}

impl Window {
    /// Takes a line, if one of `most` is left in this second; says how many were asked for in vain since the last one.
    pub(crate) fn line(&mut self, second: i64, most: u32) -> Option<u64> {
        if self.second != second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines >= most {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// A window for each kind of line. Kinds are words of the program, so there are only so many.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<HashMap<Kind, Window>>);

/// Layer and reason; and whether it names something that an operator looks for, which the others of its kind must not hide.
pub(crate) type Kind = (&'static str, &'static str, bool);

impl Windows {
    /// As [`Window::line`], of one kind.
    pub(crate) fn line(&self, kind: Kind, second: i64, most: u32) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.entry(kind).or_default().line(second, most)
    }
}

/// Lines of one alarm, about one whom it names, in one second.
const OF_ONE: u32 = 5;
/// About so many at most is remembered how many lines they had.
const NAMED: usize = 10_000;

/// A window for each whom an alarm names. Only what we ourselves have made for somebody raises one, so there are only so many; whoever raises his
/// again and again takes no line from another, nor do those who forge what is none.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Mutex<HashMap<String, Window>>);

impl Alarms {
    /// As [`Window::line`], about one of them.
    pub(crate) fn line(&self, about: &str, second: i64) -> Option<u64> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= NAMED && !windows.contains_key(about) {
            windows.retain(|_, window| window.second == second);
            if windows.len() >= NAMED {
                // An alarm is never left out for want of room.
                return Some(0);
            }
        }
        windows.entry(about.to_owned()).or_default().line(second, OF_ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_told_whoever_else_raises_theirs() {
        let alarms = Alarms::default();
        assert_eq!((0..1000).filter_map(|_| alarms.line("one", 1)).count(), 5);
        assert_eq!(alarms.line("two", 1), Some(0));
        assert_eq!(alarms.line("one", 2), Some(995), "and how often");
        for number in 0..3 * NAMED {
            assert_eq!(alarms.line(&format!("many-{number}"), 3), Some(0));
        }
        assert!(alarms.0.lock().unwrap().len() <= NAMED);
    }

    #[test]
    fn a_second_has_so_many_lines_and_the_next_line_says_how_many_it_had_not() {
        let mut window = Window::default();
        // The clock may step back.
        for second in [1_800_000_000, 1_800_000_001, 1_799_999_999] {
            let told = (0..1000).filter_map(|_| window.line(second, 20)).collect::<Vec<u64>>();
            assert_eq!(told.len(), 20);
            let before = if second == 1_800_000_000 { 0 } else { 980 };
            assert_eq!((told[0], &told[1..]), (before, [0; 19].as_slice()));
        }
    }

    #[test]
    fn one_kind_takes_no_line_from_another() {
        let windows = Windows::default();
        let flood = ("api_key", "key_missing", false);
        assert_eq!((0..1000).filter_map(|_| windows.line(flood, 1, 20)).count(), 20);
        assert_eq!(windows.line(("api_key", "key_missing", true), 1, 20), Some(0));
        assert_eq!(windows.line(("api_key", "key_unknown", false), 1, 20), Some(0));
        assert_eq!(windows.line(flood, 2, 20), Some(980));
    }
}

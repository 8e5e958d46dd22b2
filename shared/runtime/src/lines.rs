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

#[cfg(test)]
mod tests {
    use super::*;

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

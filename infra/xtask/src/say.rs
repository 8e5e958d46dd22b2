//! Lines for the person watching, no longer than a terminal is wide.

use std::io::{IsTerminal as _, Write as _};

use ladder::terminal::{colors, complaint, fold};

/// One line, or as many as it takes.
pub(crate) fn line(text: &str) {
    println!("{}", fold(text));
}

/// A line that does not wait for anybody: what is being waited for.
pub(crate) fn progress(text: &str) {
    line(text);
    // Into a file or a pipe, too, it is of use while it lasts; that nobody reads it any more is no reason to stop.
    drop(std::io::stdout().flush());
}

/// What went wrong: its own lines, each as many as it takes.
pub(crate) fn failure(text: &str) {
    eprintln!("\n{}", complaint(text, colors(std::io::stderr().is_terminal())));
}

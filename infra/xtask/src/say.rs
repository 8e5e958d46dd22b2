//! Lines for the person watching, no longer than a terminal is wide.

use std::io::{IsTerminal as _, Write as _};

use ladder::terminal::{colors, fold, paint};

/// Who says it.
const MARK: &str = "xtask:";

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

/// What went wrong: its own lines, each as many as it takes. What programs logged is left as it is, to be searched and copied.
pub(crate) fn failure(text: &str) {
    let told = told(text);
    let told =
        if colors(std::io::stderr().is_terminal()) { told.replacen(MARK, &paint("1;31", MARK), 1) } else { told };
    eprintln!("\n{told}");
}

fn told(text: &str) -> String {
    let marked = format!("{MARK} {text}");
    let lines =
        marked.lines().map(|line| if line.trim_start().starts_with('{') { line.to_owned() } else { fold(line) });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use ladder::terminal::WIDTH;

    use super::told;

    #[test]
    fn a_failure_is_no_wider_than_a_terminal_with_its_mark() {
        // As it is, it would just fit.
        let words = format!("{}12345", "a few words ".repeat(6));
        assert!(words.len() < WIDTH && words.len() + "xtask: ".len() > WIDTH, "{words}");
        let told = told(&format!("{words}\n\n  a    table's   row"));
        assert!(told.starts_with("xtask: a few") && told.ends_with("\n\n  a    table's   row"), "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
    }
}

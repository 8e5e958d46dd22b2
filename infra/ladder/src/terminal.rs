//! Lines for the person watching: no longer than a terminal is wide, and colored only where somebody sees the colors.

#![expect(clippy::disallowed_methods, reason = "a terminal tells what it can do by the environment")]

/// The width of a terminal that nobody has widened, in characters.
pub const WIDTH: usize = 80;

/// The codes of SGR (ECMA-48 §8.3.117) around a text.
pub fn paint(code: &str, text: &str) -> String {
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Whether to color what goes to a terminal, or to something else: `NO_COLOR` says no, whatever its value, unless that is empty (no-color.org).
pub fn colors(is_terminal: bool) -> bool {
    wants_colors(is_terminal, std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()))
}

fn wants_colors(is_terminal: bool, no_color: bool) -> bool {
    is_terminal && !no_color
}

/// Breaks a text at its spaces into lines of at most `width` characters. Only a word that is longer than a line is longer: whoever copies a path or an id
/// gets all of it.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// A line that is too long for a terminal as several, of which all but the first are indented by four characters more. Shorter ones stay as they are, with
/// their columns.
pub fn fold(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    let more = format!("\n{indent}    ");
    indent.clone() + &wrap(line, WIDTH - indent.len() - 4).join(&more)
}

/// No longer than there is room: what does not fit is left out, and its place is marked.
pub fn cut(line: &str, room: usize) -> String {
    if line.chars().count() <= room {
        return line.to_owned();
    }
    line.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// Who complains, whichever program it is: a person has called `cargo xtask`.
const MARK: &str = "xtask:";

/// What went wrong, with its mark: its own lines, each as many as it takes. What programs logged is left as it is, to be searched and copied.
pub fn complaint(text: &str, color: bool) -> String {
    let marked = format!("{MARK} {text}");
    let lines =
        marked.lines().map(|line| if line.trim_start().starts_with('{') { line.to_owned() } else { fold(line) });
    let told = lines.collect::<Vec<_>>().join("\n");
    if color { told.replacen(MARK, &paint("1;31", MARK), 1) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_no_wider_than_a_terminal_with_its_mark() {
        // As it is, it would just fit.
        let words = format!("{}12345", "a few words ".repeat(6));
        assert!(words.len() < WIDTH && words.len() + "xtask: ".len() > WIDTH, "{words}");
        let told = complaint(&format!("{words}\n\n  a    table's   row"), false);
        assert!(told.starts_with("xtask: a few") && told.ends_with("\n\n  a    table's   row"), "{told}");
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH), "{told}");
    }

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "one two three four five six seven";
        let lines = wrap(text, 10);
        assert!(lines.iter().all(|line| line.chars().count() <= 10));
        assert_eq!(lines.join(" "), text);
    }

    #[test]
    fn a_long_line_is_folded_under_itself_and_a_short_one_is_left_alone() {
        let long = format!("  --  gdb  {}", "a few words ".repeat(12));
        let folded = fold(&long);
        assert!(folded.lines().count() > 1 && folded.lines().all(|line| line.chars().count() <= WIDTH), "{folded}");
        assert!(
            folded.lines().skip(1).all(|line| line.starts_with("      a ") || line.starts_with("      ")),
            "{folded}"
        );
        assert!(folded.split_whitespace().eq(long.split_whitespace()));
        assert_eq!(fold("  a    table's   row"), "  a    table's   row");
    }

    #[test]
    fn colors_are_for_a_terminal_whose_owner_wants_them() {
        assert!(wants_colors(true, false));
        assert!(!wants_colors(true, true) && !wants_colors(false, false));
    }
}

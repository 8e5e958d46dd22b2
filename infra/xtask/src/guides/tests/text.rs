//! What a guide says to type, and what it says comes back.
//!
//! A block ```` ```console ```` has commands behind `$ ` and what they print; in ```` ```sh ```` each line is a command. What no test runs says why, to the
//! reader, too: `Not run by a test: …` in the line above the block, or at the end of a command as a comment.

/// What is said of a command that no test runs.
const WAIVER: &str = "ot run by a test: ";

pub(super) struct Command {
    /// In the guide.
    pub(super) line: usize,
    pub(super) text: String,
    /// What the guide shows of its output.
    pub(super) shown: Vec<String>,
    /// Why no test runs it.
    pub(super) waiver: Option<String>,
}

impl Command {
    /// What stands behind `cargo xtask`, without comments; none: it is another program's.
    pub(super) fn xtask(&self) -> Option<&str> {
        let words = self.text.split(" #").next().unwrap_or_default().trim();
        words.strip_prefix("cargo xtask").map(str::trim)
    }
}

/// The commands of all blocks, or what is wrong with a block.
pub(super) fn commands(text: &str) -> Result<Vec<Command>, String> {
    let mut commands = Vec::new();
    let (mut language, mut above) = (None, "");
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), language) {
            (Some(""), None) => {
                return Err(format!("line {number}: a block says what it is: ```console, ```toml, ```text …"));
            }
            (Some(word), None) => language = Some(word),
            (Some(_), Some(_)) => (language, above) = (None, ""),
            (None, None) if !line.trim().is_empty() => above = line,
            (None, Some("console")) if !line.starts_with("$ ") => {
                let command: &mut Command =
                    commands.last_mut().ok_or_else(|| format!("line {number}: what is shown has no command"))?;
                command.shown.push(line.to_owned());
            }
            (None, Some("console" | "sh")) => {
                let text = line.strip_prefix("$ ").unwrap_or(line).to_owned();
                if !text.is_empty() && !text.starts_with('#') {
                    let waiver = waiver(&text).or_else(|| waiver(above));
                    commands.push(Command { line: number, text, shown: Vec::new(), waiver });
                }
            }
            (None, Some(other)) if line.starts_with("$ ") || line.starts_with("cargo ") => {
                return Err(format!("line {number}: a command in a block that is {other}, and not console or sh"));
            }
            (None, _) => (),
        }
    }
    Ok(commands)
}

fn waiver(text: &str) -> Option<String> {
    text.split_once(WAIVER).map(|(_, why)| why.trim().to_owned()).filter(|why| !why.is_empty())
}

/// What stands between backticks outside of blocks: the heading above, the line, the text.
pub(super) fn spans(text: &str) -> Vec<(&str, usize, &str)> {
    let (mut spans, mut inside, mut heading) = (Vec::new(), false, "");
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            heading = line.strip_prefix("## ").unwrap_or(heading);
            spans.extend(line.split('`').skip(1).step_by(2).map(|span| (heading, number, span)));
        }
    }
    spans
}

/// Ids and times differ each time: every run of eight and more hexadecimal digits and hyphens that has a digit.
pub(super) fn ids(text: &str) -> Vec<&str> {
    let part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let long = |run: &&str| run.len() >= 8 && run.bytes().any(|byte| byte.is_ascii_digit());
    text.split(|c: char| !part(c)).filter(long).collect()
}

/// The lines that are shown and were not printed; `…` stands for anything, an id for any other. Their order is not looked at: headers have none.
pub(super) fn missing<'a>(shown: &'a [String], printed: &str) -> Vec<&'a str> {
    let is_missing = |shown: &&str| !printed.lines().any(|line| fits(shown, line));
    shown.iter().map(String::as_str).filter(is_missing).collect()
}

fn fits(shown: &str, line: &str) -> bool {
    let masked = ids(shown).into_iter().fold(shown.to_owned(), |text, id| text.replace(id, "…"));
    let mut parts = masked.split('…');
    let mut rest = match line.strip_prefix(parts.next().unwrap_or_default()) {
        Some(rest) if masked.contains('…') => rest,
        Some(rest) => return rest.is_empty(),
        None => return false,
    };
    let parts: Vec<&str> = parts.collect();
    let (last, between) = parts.split_last().unwrap();
    for part in between {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn commands_are_told_from_what_they_print() {
    let guide = "# G\n\n```console\n$ one  # not run by a test: a partner's account\nout\n$ two\n```\n\nNot run by a test: it is yours.\n\n```sh\n# why\nthree\n```\n\n```sh\nfour\n```\n";
    let commands = commands(guide).unwrap();
    let said: Vec<_> = commands.iter().map(|c| (c.line, &c.text[..3], c.shown.len(), c.waiver.as_deref())).collect();
    assert_eq!(
        said,
        [
            (4, "one", 1, Some("a partner's account")),
            (6, "two", 0, None),
            (13, "thr", 0, Some("it is yours.")),
            (17, "fou", 0, None)
        ]
    );
}

#[test]
fn a_block_without_a_word_and_a_command_in_another_block_are_refused() {
    for guide in ["```\ncargo xtask demo\n```\n", "```text\n$ curl x\n```\n", "```console\nout\n```\n"] {
        assert!(commands(guide).is_err(), "{guide}");
    }
}

#[test]
fn what_is_shown_has_to_be_printed_but_for_ids_and_what_is_left_out() {
    let printed = "HTTP/1.1 403 Forbidden\nrequest-id: 01b2\n{\"a\":1,\"code\":\"x\",\"id\":\"99bbccdd-0001\"}\n";
    let missing = |shown: &str| !missing(&[shown.to_owned()], printed).is_empty();
    for right in ["HTTP/1.1 403 Forbidden", "{…\"code\":\"x\",\"id\":\"01a2ccdd-5da3\"}", "…", "request-id: …"] {
        assert!(!missing(right), "{right}");
    }
    for wrong in ["HTTP/1.1 403", "HTTP/1.1 401 Forbidden", "{…\"code\":\"y\"…}", "{…\"id\":\"01a2ccdd-5da3\""] {
        assert!(missing(wrong), "{wrong}");
    }
}

#[test]
fn inline_commands_have_the_heading_above_them() {
    let spans = spans("`a`\n## H\nx `b c` y `d`\n```sh\n`no`\n```\n");
    assert_eq!(spans, [("", 1, "a"), ("H", 3, "b c"), ("H", 3, "d")]);
}

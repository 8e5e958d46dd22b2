//! Tells the story: each step is printed as it ends, and kept for the report.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use serde::Serialize;

/// One step: what was asked, what was checked, how long it took.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Chapter that it belongs to.
    pub chapter: String,
    pub title: String,
    /// What went over the wire.
    pub asked: String,
    /// What the server checked before it did anything.
    pub checked: Vec<String>,
    /// What came of it.
    pub outcome: String,
    /// Milliseconds from the beginning of the story.
    pub start_ms: f64,
    /// How long it took.
    pub millis: f64,
    /// The trace of its last request.
    pub trace_id: Option<String>,
}

/// An attack and what stopped it.
#[derive(Debug, Clone, Serialize)]
pub struct Attack {
    /// Its entry in `docs/attacks.md`.
    pub number: u32,
    /// What the attacker has and does.
    pub title: String,
    /// What the attacker saw.
    pub seen: String,
    /// The layer that stopped it, from the operator's log.
    pub layer: String,
    /// Its reason, from the operator's log; the attacker did not see it.
    pub reason: String,
    /// How long it took.
    pub millis: f64,
}

pub struct Narrator {
    started: Instant,
    color: bool,
    chapter: String,
    pub steps: Vec<Step>,
    pub attacks: Vec<Attack>,
}

/// A step that has begun.
pub struct Began {
    title: String,
    at: Instant,
}

/// What a step reports when it ends.
#[derive(Default)]
pub struct Ended<'a> {
    /// See [`Step::asked`].
    pub asked: &'a str,
    /// See [`Step::checked`].
    pub checked: &'a [&'a str],
    /// See [`Step::outcome`].
    pub outcome: String,
    /// See [`Step::trace_id`].
    pub trace_id: Option<String>,
}

impl Default for Narrator {
    fn default() -> Self {
        Self::new()
    }
}

impl Narrator {
    pub fn new() -> Self {
        let color = std::io::stdout().is_terminal();
        Self { started: crate::instant(), color, chapter: String::new(), steps: Vec::new(), attacks: Vec::new() }
    }

    /// Milliseconds since the beginning.
    pub fn elapsed_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1e3
    }

    pub fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A closed terminal must not end the story with a panic; its exit code still tells.
        let _ignored = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub fn chapter(&mut self, number: u32, title: &str, lead: &str) {
        title.clone_into(&mut self.chapter);
        self.line("");
        self.line(&format!("  {}  {}", self.paint("1;36", &number.to_string()), self.paint("1", title)));
        self.line(&format!("     {}", self.paint("2", lead)));
    }

    /// A remark between steps.
    pub fn remark(&self, text: &str) {
        self.line(&format!("     {}", self.paint("2", text)));
    }

    pub fn begin(&self, title: impl Into<String>) -> Began {
        Began { title: title.into(), at: crate::instant() }
    }

    pub fn end(&mut self, began: Began, ended: Ended<'_>) {
        let millis = began.at.elapsed().as_secs_f64() * 1e3;
        let time = format!("{millis:>6.0} ms");
        self.line("");
        self.line(&format!("     {} {:<76}{}", self.paint("1;32", "✓"), began.title, self.paint("2", &time)));
        self.detail("asked", ended.asked);
        self.detail("checked", &ended.checked.join(" · "));
        self.detail("result", &ended.outcome);
        self.steps.push(Step {
            chapter: self.chapter.clone(),
            title: began.title,
            asked: ended.asked.to_owned(),
            checked: ended.checked.iter().map(|&check| check.to_owned()).collect(),
            outcome: ended.outcome,
            start_ms: (began.at - self.started).as_secs_f64() * 1e3,
            millis,
            trace_id: ended.trace_id,
        });
    }

    fn detail(&self, label: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        for (index, line) in wrap(text, 88).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.line(&format!("       {} {line}", self.paint("2", &format!("{label:<8}"))));
        }
    }

    /// Reports an attack that was stopped.
    pub fn stopped(&mut self, attack: Attack) {
        let mark = self.paint("1;31", "✗");
        self.line(&format!(
            "     {mark} {:<68}{}",
            attack.title,
            self.paint("1;33", &format!("stopped by {}", attack.layer.replace('_', " ")))
        ));
        let seen = format!(
            "attacker saw {}; the operator's log says {} · docs/attacks.md#a{}",
            attack.seen, attack.reason, attack.number
        );
        self.line(&format!("       {}", self.paint("2", &seen)));
        self.attacks.push(attack);
    }
}

/// Breaks text at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        let text = "one two three four five six seven";
        let lines = wrap(text, 10);
        assert!(lines.iter().all(|line| line.chars().count() <= 10));
        assert_eq!(lines.join(" "), text);
    }
}

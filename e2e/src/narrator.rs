//! Tells the story: each step is printed as it ends, and kept for the report. No line is longer than a terminal is wide.

use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ladder::terminal::{self, WIDTH, wrap};

use crate::operator::LogLine;
use crate::trace::Expected;

/// Where steps and attacks begin.
const MARGIN: &str = "     ";
/// Where what is said of them begins.
const INNER: &str = "       ";
/// The width of `asked`, `checked` and `result`.
const LABEL: usize = 8;
/// The width of how long a step took.
const TIME: usize = 9;

/// One step: what was asked, what was checked, how long it took.
#[derive(Debug, Clone)]
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
    /// The trace of the request that tells most, and what must be in it.
    pub trace: Expected,
}

/// An attack and what stopped it.
#[derive(Debug, Clone)]
pub struct Attack {
    /// Its entry in `docs/attacks.md`.
    pub number: u32,
    /// What the attacker has and does.
    pub title: String,
    /// What the attacker saw.
    pub seen: String,
    /// The layer that stopped it.
    pub layer: String,
    /// How that is known.
    pub evidence: Evidence,
    /// How long it took.
    pub millis: f64,
}

/// How it is known what stopped an attack.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// A line of the operator's log, which was read; the attacker did not see it.
    Log(LogLine),
    /// What a service keeps of it, and has told the operator.
    Kept { service: String, words: String },
    /// No log has a word of it: what the story itself has seen.
    Seen(String),
}

impl Evidence {
    /// Where it stands, e.g. `the log of ledger`.
    pub fn place(&self) -> String {
        match self {
            Self::Log(line) => format!("the log of {}", line.service()),
            Self::Kept { service, .. } => format!("the record of {service}"),
            Self::Seen(_) => "no log; seen from outside".to_owned(),
        }
    }

    /// What it says.
    pub fn words(&self) -> &str {
        match self {
            Self::Log(line) => line.reason(),
            Self::Kept { words, .. } | Self::Seen(words) => words,
        }
    }
}

pub struct Narrator {
    started: Instant,
    color: bool,
    out: Mutex<Box<dyn Write + Send>>,
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
pub struct Ended<'a> {
    /// See [`Step::asked`].
    pub asked: &'a str,
    /// See [`Step::checked`].
    pub checked: &'a [&'a str],
    /// See [`Step::outcome`].
    pub outcome: String,
    /// See [`Step::trace`].
    pub trace: Expected,
}

impl Default for Narrator {
    fn default() -> Self {
        Self::new()
    }
}

impl Narrator {
    /// On standard output.
    pub fn new() -> Self {
        Self::on(Box::new(std::io::stdout()), terminal::colors(std::io::stdout().is_terminal()))
    }

    /// On something else.
    pub fn on(out: Box<dyn Write + Send>, color: bool) -> Self {
        let (steps, attacks) = (Vec::new(), Vec::new());
        Self { started: crate::instant(), color, out: Mutex::new(out), chapter: String::new(), steps, attacks }
    }

    /// Milliseconds since the beginning.
    pub fn elapsed_ms(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * 1e3
    }

    /// A line as it is, however long.
    pub fn line(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed terminal must not end the story with a panic; its exit code still tells.
        let _ignored = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// Words between the chapters, as many lines as it takes.
    pub fn say(&self, text: &str) {
        self.block("  ", "", text);
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color && !code.is_empty() { terminal::paint(code, text) } else { text.to_owned() }
    }

    /// A text in its lines, each behind the margin.
    fn block(&self, margin: &str, code: &str, text: &str) {
        for line in wrap(text, WIDTH - margin.chars().count()) {
            self.line(&format!("{margin}{}", self.paint(code, &line)));
        }
    }

    /// A mark, and a text beside it that is indented as a whole.
    fn marked(&self, text: &str, width: usize) -> Vec<String> {
        let lines = wrap(text, width);
        let mark =
            |at: usize| if at == 0 { format!("{MARGIN}{} ", self.paint("1;32", "✓")) } else { INNER.to_owned() };
        lines.iter().enumerate().map(|(at, line)| mark(at) + line).collect()
    }

    pub fn chapter(&mut self, number: u32, title: &str, lead: &str) {
        title.clone_into(&mut self.chapter);
        self.line("");
        self.line(&format!("  {}  {}", self.paint("1;36", &number.to_string()), self.paint("1", title)));
        self.block(MARGIN, "2", lead);
    }

    /// A remark between steps.
    pub fn remark(&self, text: &str) {
        self.block(INNER, "2", text);
    }

    pub fn begin(&self, title: impl Into<String>) -> Began {
        Began { title: title.into(), at: crate::instant() }
    }

    pub fn end(&mut self, began: Began, ended: Ended<'_>) {
        let millis = began.at.elapsed().as_secs_f64() * 1e3;
        self.line("");
        let room = WIDTH - INNER.len() - TIME;
        let mut lines = self.marked(&began.title, room);
        if let (Some(last), Some(words)) = (lines.last_mut(), wrap(&began.title, room).last()) {
            let gap = " ".repeat(room.saturating_sub(words.chars().count()));
            last.push_str(&gap);
            last.push_str(&self.paint("2", &format!("{millis:>6.0} ms")));
        }
        for line in &lines {
            self.line(line);
        }
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
            trace: ended.trace,
        });
    }

    fn detail(&self, label: &str, text: &str) {
        for (at, line) in
            wrap(text, WIDTH - INNER.len() - LABEL - 1).iter().enumerate().filter(|(_, line)| !line.is_empty())
        {
            let label = if at == 0 { label } else { "" };
            self.line(&format!("{INNER}{} {line}", self.paint("2", &format!("{label:<LABEL$}"))));
        }
    }

    /// Reports an attack that was stopped: that is how it should be, and looks like it.
    pub fn stopped(&mut self, attack: Attack) {
        for line in &self.marked(&attack.title, WIDTH - INNER.len()) {
            self.line(line);
        }
        let Attack { number, seen, layer, evidence, .. } = &attack;
        let said = match evidence {
            Evidence::Log(_) | Evidence::Kept { .. } => format!("{} says {}", evidence.place(), evidence.words()),
            Evidence::Seen(words) => words.clone(),
        };
        let layer = layer.replace('_', " ");
        let said = format!("stopped by {layer} · attacker saw {seen} · {said} · docs/attacks.md#a{number}");
        self.block(INNER, "2", &said);
        self.attacks.push(attack);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn ended() -> Ended<'static> {
        let trace = Expected { id: "0".repeat(32), root: None, edges: &[] };
        Ended { asked: "", checked: &[], outcome: String::new(), trace }
    }

    fn attack(title: &str, evidence: Evidence) -> Attack {
        let (seen, layer) = ("401 auth.unauthorized".to_owned(), "message_signature".to_owned());
        Attack { number: 31, title: title.to_owned(), seen, layer, evidence, millis: 1.0 }
    }

    /// Longer than anything that is told, with ids, the longest words of the story.
    fn long() -> String {
        "01a219dd-5da3-7fc9-9ee9-bc3086d4dca3 → POST /v1/payouts · the broker orders it at the bank ".repeat(4)
    }

    fn tell(narrator: &mut Narrator) {
        narrator.chapter(1, "Who and what", &long());
        let (began, text) = (narrator.begin(long()), long());
        narrator.end(began, Ended { asked: &text, checked: &[&text, &text], outcome: long(), ..ended() });
        narrator.remark(&long());
        narrator.stopped(attack(&long(), Evidence::Log(LogLine::of_a_test("ledger", &long()))));
        narrator.stopped(attack("short", Evidence::Seen(long())));
        narrator.say(&long());
    }

    #[test]
    fn no_line_of_the_longest_story_is_longer_than_a_terminal_is_wide() {
        let paper = Paper::default();
        tell(&mut Narrator::on(Box::new(paper.clone()), false));
        let text = paper.text();
        let longest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(longest.chars().count() <= WIDTH, "{longest}");
        assert!(text.lines().count() > 40 && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn colors_add_no_width_and_a_stopped_attack_is_not_red() {
        let (plain, colored) = (Paper::default(), Paper::default());
        for (paper, color) in [(&plain, false), (&colored, true)] {
            let mut narrator = Narrator::on(Box::new(paper.clone()), color);
            narrator.stopped(attack("The amount is changed in transit", Evidence::Seen("refused".to_owned())));
        }
        let codes =
            ["1;32", "2"].iter().fold(colored.text(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""));
        assert_eq!(codes.replace("\u{1b}[0m", ""), plain.text(), "green and dim, nothing else");
        assert!(plain.text().contains("✓ The amount") && plain.text().contains("stopped by message signature"));
    }

    #[test]
    fn only_a_line_that_was_read_is_called_the_operators_log() {
        let paper = Paper::default();
        let mut narrator = Narrator::on(Box::new(paper.clone()), false);
        narrator.stopped(attack("one", Evidence::Log(LogLine::of_a_test("ledger", "digest_mismatch"))));
        // However it is broken into lines.
        let words = || paper.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words().contains("the log of ledger says digest_mismatch"), "{}", words());
        let kept = Evidence::Kept { service: "behavior".to_owned(), words: "delay".to_owned() };
        narrator.stopped(attack("kept", kept));
        assert!(words().contains("the record of behavior says delay"), "{}", words());
        narrator.stopped(attack("two", Evidence::Seen("the proxy holds no IBAN".to_owned())));
        assert_eq!(words().matches("log").count(), 1, "{}", words());
    }
}

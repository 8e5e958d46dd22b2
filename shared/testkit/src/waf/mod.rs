//! How well something tells attacks from what people write: calls of our own API, with an attack or an honest text in one field, sent to whatever
//! stands at a URL, before a stand-in that answers whoever reaches it ([`crate::edge::stand_in`]). It does not matter what refuses: the edge, a layer in
//! the service's own process, or both.

mod calls;
pub mod corpus;
pub mod held_out;
pub mod in_process;
pub mod texts;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, stream};
use reqwest::{Client, Method};

pub use calls::{Call, FIELDS, Field, honest};

/// What the stand-in answers with, and nobody else.
pub const REACHED: &str = "reached";
/// Calls at once.
const AT_ONCE: usize = 8;

/// A call, and what it is.
pub struct Trial {
    /// The field that the text stands in.
    pub field: &'static str,
    /// Whether people write in that field.
    pub prose: bool,
    /// Whether the text is an attack.
    pub attack: bool,
    /// The text.
    pub text: String,
    /// The call with it.
    pub call: Call,
}

/// How many calls of each kind there were, and how many did not reach the stand-in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Attacks.
    pub attacks: u32,
    /// Of these, refused.
    pub stopped: u32,
    /// Honest calls.
    pub honest: u32,
    /// Of these, refused.
    pub offended: u32,
}

impl Count {
    /// The mean of the share of attacks that are stopped and of the share of honest calls that are not.
    pub fn balanced_accuracy(self) -> f64 {
        let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole.max(1));
        f64::midpoint(share(self.stopped, self.attacks), 1.0 - share(self.offended, self.honest))
    }

    fn absorb(&mut self, other: Self) {
        self.attacks += other.attacks;
        self.stopped += other.stopped;
        self.honest += other.honest;
        self.offended += other.offended;
    }

    fn add(&mut self, attack: bool, refused: bool) {
        let (all, of_these) =
            if attack { (&mut self.attacks, &mut self.stopped) } else { (&mut self.honest, &mut self.offended) };
        *all += 1;
        *of_these += u32::from(refused);
    }
}

/// What came of the trials.
#[derive(Debug, Default)]
pub struct Outcome {
    /// All of them.
    pub all: Count,
    /// Those in fields that people write in.
    pub prose: Count,
    /// By field.
    pub fields: BTreeMap<&'static str, Count>,
    /// Honest texts that were refused.
    pub offended: Vec<String>,
}

impl Outcome {
    /// With what came of other trials.
    pub fn absorb(&mut self, other: Self) {
        self.all.absorb(other.all);
        self.prose.absorb(other.prose);
        for (name, count) in other.fields {
            self.fields.entry(name).or_default().absorb(count);
        }
        self.offended.extend(other.offended);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, count: &Count| {
            let Count { attacks, stopped, honest, offended } = count;
            writeln!(f, "  {name:<28}{stopped:>6} of {attacks:>5} attacks{offended:>6} of {honest:>5} honest")
        };
        for (name, count) in &self.fields {
            row(name, count)?;
        }
        row("texts for people", &self.prose)?;
        row("all", &self.all)?;
        let (all, prose) = (self.all.balanced_accuracy() * 100.0, self.prose.balanced_accuracy() * 100.0);
        write!(f, "  balanced accuracy {all:.2} %, on texts for people alone {prose:.2} %")
    }
}

/// Makes the trials at `url`.
///
/// # Errors
///
/// Nobody answers there.
pub async fn measure(http: &Client, url: &str, trials: &[Trial]) -> Result<Outcome> {
    let sent = stream::iter(trials.iter().map(|trial| async move { (trial, refused(http, url, &trial.call).await) }));
    let mut sent = sent.buffer_unordered(AT_ONCE);
    let mut outcome = Outcome::default();
    while let Some((trial, refused)) = sent.next().await {
        let refused = refused.with_context(|| format!("{}: {}", trial.field, trial.text))?;
        outcome.all.add(trial.attack, refused);
        outcome.fields.entry(trial.field).or_default().add(trial.attack, refused);
        if trial.prose {
            outcome.prose.add(trial.attack, refused);
        }
        if refused && !trial.attack {
            outcome.offended.push(format!("{}: {}", trial.field, trial.text));
        }
    }
    Ok(outcome)
}

/// Whether the call does not reach the stand-in.
async fn refused(http: &Client, url: &str, call: &Call) -> Result<bool> {
    let method = Method::from_bytes(call.method.as_bytes())?;
    let mut request = http.request(method, format!("{url}{}", call.target)).body(call.body.clone());
    for (name, value) in &call.headers {
        request = request.header(*name, value.as_bytes());
    }
    let again = request.try_clone().context("a call that cannot be sent twice")?;
    let answer = match request.send().await {
        // The server may close a connection just when it is used again; nobody has judged that call. Closed twice is no accident.
        Err(error) if error.is_request() && !error.is_timeout() => again.send().await?,
        sent => sent?,
    };
    let reached = answer.headers().contains_key(REACHED);
    ensure!(reached || answer.status().is_client_error(), "neither reached nor refused: {}", answer.status());
    Ok(!reached)
}

/// What honest people write.
pub struct Honest {
    /// Names, firms, references.
    pub texts: Vec<String>,
    /// What stands in other fields than those, each with its field.
    pub codes: Vec<(&'static str, String)>,
}

/// Every attack in every field that people write in, and in three of the others; every honest text of [`texts`] in one of the fields that it is for, and
/// each field's own honest value.
pub fn trials(attacks: &[String]) -> Vec<Trial> {
    trials_with(attacks, &Honest { texts: texts::texts(), codes: texts::codes() })
}

/// The same with other honest texts.
pub fn trials_with(attacks: &[String], honest: &Honest) -> Vec<Trial> {
    let mut trials = Vec::new();
    let (prose, others): (Vec<&Field>, Vec<&Field>) = FIELDS.iter().partition(|field| field.prose);
    for (at, text) in attacks.iter().enumerate() {
        let some = others.iter().cycle().skip(at * 3).take(3).filter(|field| field.takes(text));
        trials.extend(prose.iter().chain(some).map(|field| field.trial(true, text)));
    }
    for (at, text) in honest.texts.iter().enumerate() {
        trials.extend(prose.get(at % prose.len().max(1)).map(|field| field.trial(false, text)));
    }
    for (name, text) in &honest.codes {
        trials.extend(FIELDS.iter().find(|field| field.name == *name).map(|field| field.trial(false, text)));
    }
    trials.extend(FIELDS.iter().map(|field| field.trial(false, field.value)));
    trials
}

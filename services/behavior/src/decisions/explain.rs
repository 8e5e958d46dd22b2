//! Makes a judgement anew of what a decision says it rested on.

use api::behavior::{Decision, DryRun};

use crate::features::{self, Feature, Features};
use crate::judgement::Judgement;
use crate::scoring::bench::Bench;

/// Scores that differ by less are the same: figures travel as decimals, and machines round logarithms differently in the last digit.
const SAME: f64 = 1e-9;

/// Why a decision cannot be made anew.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// It rests on features that mean something else here.
    #[error(
        "the decision rests on version {0} of the features, this build has version {ours}: ask the build that made it",
        ours = features::VERSION
    )]
    Version(u32),
    /// One that this build knows is not in it, or no number.
    #[error("the decision does not say \"{0}\"")]
    Missing(&'static str),
    /// It has one that this build does not know.
    #[error("the decision says \"{0}\", which this build does not have")]
    Unknown(String),
}

/// What the model and the rules say now, and what is not as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// What they say now.
    pub now: Judgement,
    /// Each difference in a sentence; none, if they say the same.
    pub differences: Vec<String>,
}

/// Judges the stored features. What was tried beside those that judged is compared with what it said then, not with them.
///
/// # Errors
///
/// [`ExplainError`]: they are not the features of this build.
pub fn explain(decision: &Decision, bench: &Bench) -> Result<Explained, ExplainError> {
    let now = bench.judge(&stored(decision)?);
    let said = said(decision, bench);
    let mut differences = Vec::new();
    let mut differ = |what: &str, before: &str, after: &str| {
        if before != after {
            differences.push(format!("{what} was {before}, and is {after} now"));
        }
    };
    differ("the model", &said.model, bench.model.name());
    differ("the version of the rules", &said.rules, bench.rules.version());
    let score = format!("{:.6}", said.score);
    if (now.score - said.score).abs() > SAME {
        differ("the score", &score, &format!("{:.9}", now.score));
    }
    let action: api::behavior::Action = now.action.into();
    differ("the action", &format!("{:?}", said.action), &format!("{action:?}"));
    let reasons = said.reasons.iter().map(|reason| reason.name.clone()).collect::<Vec<_>>();
    let says = now.reasons.iter().map(|reason| api::behavior::Reason::from(reason).name).collect::<Vec<_>>();
    differ("the reasons", &reasons.join(", "), &says.join(", "));
    Ok(Explained { now, differences })
}

/// What was said then: by what was tried, where that is who judges now.
fn said(decision: &Decision, bench: &Bench) -> DryRun {
    let tried = decision.dry_run.as_ref().filter(|tried| (tried.model.as_str(), tried.rules.as_str()) == bench.names());
    // Default: what judged.
    tried.cloned().unwrap_or_else(|| DryRun {
        score: decision.score,
        action: decision.action,
        reasons: decision.reasons.clone(),
        model: decision.model.clone(),
        rules: decision.rules.clone(),
    })
}

fn stored(decision: &Decision) -> Result<Features, ExplainError> {
    if decision.features_version != features::VERSION {
        return Err(ExplainError::Version(decision.features_version));
    }
    if let Some(unknown) = decision.features.keys().find(|name| Feature::named(name).is_none()) {
        return Err(ExplainError::Unknown(unknown.clone()));
    }
    let value = |feature: Feature| decision.features.get(feature.name()).copied().filter(|value| value.is_finite());
    Features::stored(|feature| value(feature).ok_or(ExplainError::Missing(feature.name())))
}

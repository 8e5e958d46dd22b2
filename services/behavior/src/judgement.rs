//! What is thought of a payment, why, and what is to be done about it.

use crate::action::Action;
use crate::features::Features;
use crate::model::Model;
use crate::rules::Rules;

/// No more reasons are given.
const REASONS: usize = 5;
/// What moves the odds by less is no reason that anybody would give.
const WORTH_SAYING: f64 = 0.1;

/// Where a reason comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The model, by the feature of this name.
    Model(&'static str),
    /// The rule of this id.
    Rule(String),
}

/// One reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Where it comes from.
    pub source: Source,
    /// In words.
    pub says: String,
    /// How much it moved the logarithm of the odds of fraud.
    pub log_odds: f64,
}

/// What is thought of one payment.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// How likely it is fraud, between 0 and 1.
    pub score: f64,
    /// What is to be done.
    pub action: Action,
    /// What speaks against the payment, the weightiest first; at most [`REASONS`].
    pub reasons: Vec<Reason>,
}

/// Who judges: a model, rules, or both.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The trained part, if it has a say.
    pub model: Option<&'a Model>,
    /// What people wrote.
    pub rules: &'a Rules,
    /// Whether the rules move the score, and not only say from which score on something is done.
    pub by_rules: bool,
}

impl Judge<'_> {
    /// Judges a payment with these features.
    #[must_use]
    pub fn judge(&self, features: &Features) -> Judgement {
        let opinion = self.model.map(|model| model.judge(features));
        let mut log_odds = opinion.as_ref().map_or(self.rules.base(), |opinion| opinion.log_odds); // Default: where the rules begin
        let moved = opinion.into_iter().flat_map(|opinion| opinion.moved);
        let mut reasons: Vec<Reason> = moved
            .map(|(feature, log_odds)| Reason {
                source: Source::Model(feature.name()),
                says: feature.say(features.get(feature)),
                log_odds,
            })
            .collect();
        let mut at_least = Action::Allow;
        for rule in self.rules.that_hold(features).filter(|_| self.by_rules) {
            log_odds += rule.log_odds;
            at_least = at_least.max(rule.at_least);
            let source = Source::Rule(rule.id.clone());
            reasons.push(Reason { source, says: rule.says.clone(), log_odds: rule.log_odds });
        }
        reasons.retain(|reason| reason.log_odds > WORTH_SAYING);
        reasons.sort_by(|one, other| other.log_odds.total_cmp(&one.log_odds));
        reasons.truncate(REASONS);
        let score = 1.0 / (1.0 + (-log_odds).exp());
        Judgement { score, action: self.rules.action(score).max(at_least), reasons }
    }
}

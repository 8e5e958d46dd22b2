//! What people know and no model was taught: conditions on the features, as versioned data.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::action::Action;
use crate::features::{self, Feature, Features};

/// Why rules were refused.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// They cannot be read.
    #[error("the rules cannot be read: {0}")]
    Malformed(#[from] toml::de::Error),
    /// They were written for another version of the features.
    #[error("the rules \"{version}\" were written for version {theirs} of the features, this build has version {ours}", ours = features::VERSION)]
    Version {
        /// The rules' version.
        version: String,
        /// The version of the features that they are about.
        theirs: u32,
    },
    /// One of them is none.
    #[error("the rules \"{version}\": \"{rule}\" {why}")]
    Rule {
        /// The rules' version.
        version: String,
        /// Which one.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The rules of one version, and the scores at which something is done.
#[derive(Debug, Clone)]
pub struct Rules {
    version: String,
    base: f64,
    actions: Actions,
    all: Vec<Rule>,
}

/// Scores from which on something is done.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actions {
    step_up: f64,
    delay: f64,
}

/// One rule that was checked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, with which decisions are stored.
    // Text: whoever writes the rules makes it up.
    pub id: String,
    /// What a person is told.
    pub says: String,
    /// How much it moves the logarithm of the odds of fraud.
    pub log_odds: f64,
    /// What is done at least, whatever the score is.
    pub at_least: Action,
    when: Vec<(Feature, Range)>,
}

/// Both must hold of those that are given.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    above: Option<f64>,
    below: Option<f64>,
}

impl Range {
    fn holds(self, value: f64) -> bool {
        self.above.is_none_or(|above| value > above) && self.below.is_none_or(|below| value < below)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    features_version: u32,
    base: f64,
    actions: Actions,
    #[serde(default)]
    rule: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    // Text: as it is written.
    id: String,
    says: String,
    log_odds: f64,
    #[serde(default)]
    at_least: Action,
    when: BTreeMap<String, Range>,
}

impl Rules {
    /// Reads rules.
    ///
    /// # Errors
    /// [`RulesError`]: they are malformed, or about other features than this build has.
    pub fn read(text: &str) -> Result<Self, RulesError> {
        let File { version, features_version, base, actions, rule } = toml::from_str(text)?;
        if features_version != features::VERSION {
            return Err(RulesError::Version { version, theirs: features_version });
        }
        let wrong = |rule: &str, why: &str| RulesError::Rule {
            version: version.clone(),
            rule: rule.to_owned(),
            why: why.to_owned(),
        };
        if !(0.0 < actions.step_up && actions.step_up <= actions.delay && actions.delay < 1.0) {
            return Err(wrong("actions", "are not 0 < step_up <= delay < 1"));
        }
        if !base.is_finite() {
            return Err(wrong("base", "is no finite number"));
        }
        let rules = rule.into_iter().map(|rule| rule.checked(wrong)).collect::<Result<Vec<_>, _>>()?;
        let twice =
            rules.iter().enumerate().find(|(place, rule)| rules.iter().take(*place).any(|other| other.id == rule.id));
        if let Some((_, rule)) = twice {
            return Err(wrong(&rule.id, "stands there twice"));
        }
        Ok(Self { version, base, actions, all: rules })
    }

    /// Their version, with which decisions are stored.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The logarithm of the odds of fraud where there is no model, before any rule.
    #[must_use]
    pub fn base(&self) -> f64 {
        self.base
    }

    /// The rules that hold of a payment with these features.
    pub fn that_hold<'a>(&'a self, features: &'a Features) -> impl Iterator<Item = &'a Rule> {
        self.all.iter().filter(|rule| rule.when.iter().all(|(feature, range)| range.holds(features.get(*feature))))
    }

    /// What is done at a score.
    #[must_use]
    pub fn action(&self, score: f64) -> Action {
        match score {
            score if score >= self.actions.delay => Action::Delay,
            score if score >= self.actions.step_up => Action::StepUp,
            _ => Action::Allow,
        }
    }
}

impl Written {
    fn checked(self, wrong: impl Fn(&str, &str) -> RulesError) -> Result<Rule, RulesError> {
        let Self { id, says, log_odds, at_least, when } = self;
        if when.is_empty() {
            return Err(wrong(&id, "asks for nothing: it would hold of every payment"));
        }
        if !log_odds.is_finite() {
            return Err(wrong(&id, "moves the odds by what is no finite number"));
        }
        let asked = when.into_iter().map(|(name, range)| {
            let feature = Feature::named(&name).ok_or_else(|| {
                wrong(&id, &format!("asks for the feature \"{name}\", which this build does not have"))
            })?;
            let bounds = [range.above, range.below];
            if bounds.iter().all(Option::is_none) || bounds.iter().flatten().any(|bound| !bound.is_finite()) {
                return Err(wrong(&id, &format!("gives {name} no bound that is a finite number")));
            }
            Ok((feature, range))
        });
        let when = asked.collect::<Result<_, _>>()?;
        Ok(Rule { id, says, log_odds, at_least, when })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Origin, Payment};
    use crate::profiles::Profiles;

    const RULES: &str = r#"
        version = "test"
        features_version = 3
        base = -5.0
        actions = { step_up = 0.1, delay = 0.5 }

        [[rule]]
        id = "stranger"
        says = "a stranger is paid much"
        log_odds = 2.0
        at_least = "step_up"
        when = { amount = { above = 100 }, payee_count = { below = 1 } }
    "#;

    fn refusal(from: &str, to: &str) -> String {
        match Rules::read(&RULES.replace(from, to)) {
            Ok(_) => "they were read".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_rule_holds_when_all_that_it_asks_for_does() {
        let rules = Rules::read(RULES).expect("they are rules");
        let mut profiles = Profiles::default();
        let payment = Payment { at: 0, user: 1, payee: 2, amount: 100.01 };
        let held = |profiles: &Profiles, payment: &Payment| {
            rules.that_hold(&profiles.look_at(payment, Origin::default())).count()
        };
        assert_eq!(held(&profiles, &payment), 1);
        assert_eq!(held(&profiles, &Payment { amount: 100.0, ..payment }), 0, "100 is not above 100");
        profiles.learn(&payment);
        assert_eq!(held(&profiles, &payment), 0, "no stranger any more");
    }

    /// A rule that speaks against a payment holds the more, the more there is of what is suspicious; so no signal makes a payment look more honest.
    #[test]
    fn the_rules_of_the_house_are_monotone_in_what_happens_at_the_door() {
        const WORSE_ABOVE: [&str; 6] = [
            "failed_logins_1h",
            "failed_logins_24h",
            "failed_before_login",
            "travel_speed",
            "countries_around_1h",
            "networks_around_1h",
        ];
        const WORSE_BELOW: [&str; 7] = [
            "device_days",
            "newest_device_days",
            "device_level",
            "minutes_since_failed_login",
            "second_factor_days",
            "country_days",
            "network_days",
        ];
        let rules = Rules::read(include_str!("../../rules/payments.toml")).expect("they are rules");
        let mut seen = 0;
        for rule in &rules.all {
            for (feature, range) in &rule.when {
                let (above, below) = (WORSE_ABOVE.contains(&feature.name()), WORSE_BELOW.contains(&feature.name()));
                if above || below {
                    seen += 1;
                    assert!(rule.log_odds >= 0.0, "{} speaks for a payment", rule.id);
                    assert!(
                        if above { range.below.is_none() } else { range.above.is_none() },
                        "{}: {feature:?}",
                        rule.id
                    );
                }
            }
        }
        assert!(seen >= 13, "{seen}");
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_name() {
        for (from, to, why) in [
            (
                "features_version = 3",
                "features_version = 1",
                "\"test\" were written for version 1 of the features, this build has version 3",
            ),
            ("payee_count", "shoe_size", "\"stranger\" asks for the feature \"shoe_size\""),
            ("{ above = 100 }", "{ }", "\"stranger\" gives amount no bound"),
            ("{ above = 100 }", "{ above = nan }", "\"stranger\" gives amount no bound"),
            ("log_odds = 2.0", "log_odds = inf", "\"stranger\" moves the odds by what is no finite number"),
            ("{ amount = { above = 100 }, payee_count = { below = 1 } }", "{ }", "\"stranger\" asks for nothing"),
            ("delay = 0.5", "delay = 0.05", "\"actions\" are not 0 < step_up <= delay < 1"),
            ("base = -5.0", "base = nan", "\"base\" is no finite number"),
            ("\"step_up\"\n", "\"refuse\"\n", "unknown variant `refuse`"),
            ("id = \"stranger\"", "id = \"stranger\"\nif = 1", "unknown field `if`"),
        ] {
            let said = refusal(from, to);
            assert!(said.contains(why), "{to}: {said}");
        }
        let twice = RULES.split_once("[[rule]]").map(|(_, rule)| format!("{RULES}\n[[rule]]{rule}")).expect("a rule");
        assert!(Rules::read(&twice).is_err_and(|error| error.to_string().contains("\"stranger\" stands there twice")));
    }
}

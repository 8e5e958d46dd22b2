//! A decision, and how it travels.

use api::behavior::{self as wire, Label, ReasonSource, Score};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::action::Action;
use crate::ids::{DecisionId, RequestId};
use crate::input::Paid;
use crate::judgement::{Reason, Source};
use crate::said::Said;

/// What was thought of one payment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    pub(crate) id: DecisionId,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) request: Option<RequestId>,
    pub(crate) paid: Paid,
    pub(crate) features_version: u32,
    /// In the order of the version's names.
    pub(crate) features: Vec<f64>,
    /// The number of the last line of the log that had been learned.
    pub(crate) learned: i64,
    pub(crate) said: Said,
    /// What those said that were tried beside.
    pub(crate) dry_run: Option<Said>,
}

impl Decision {
    /// As it is answered to who asked for it.
    pub(crate) fn score(&self) -> Score {
        let Said { score, action, reasons, model, rules } = self.said.clone();
        Score { decision_id: self.id.into(), score, action: action.into(), reasons, model, rules }
    }

    /// All of it, with what its features are called, and what turned out.
    pub(super) fn wire(self, names: Vec<String>, label: Option<Label>) -> wire::Decision {
        wire::Decision {
            decision_id: self.id.into(),
            decided_at: self.decided_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            request_id: self.request.map(Into::into),
            at_unix_millis: self.paid.at.timestamp_millis(),
            user_key: format!("{:016x}", self.paid.user),
            payee_key: format!("{:016x}", self.paid.payee),
            amount: self.paid.money.to_string(),
            currency: self.paid.money.currency().code().to_owned(),
            features_version: self.features_version,
            features: names.into_iter().zip(self.features).collect(),
            learned: self.learned,
            score: self.said.score,
            action: self.said.action.into(),
            reasons: self.said.reasons,
            model: self.said.model,
            rules: self.said.rules,
            dry_run: self.dry_run.map(Into::into),
            label,
        }
    }
}

impl From<Action> for wire::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Allow,
            Action::StepUp => Self::StepUp,
            Action::Delay => Self::Delay,
        }
    }
}

impl From<&Reason> for wire::Reason {
    fn from(reason: &Reason) -> Self {
        let (source, name) = match &reason.source {
            Source::Model(feature) => (ReasonSource::Model, (*feature).to_owned()),
            Source::Rule(id) => (ReasonSource::Rule, id.clone()),
        };
        Self { source, name, says: reason.says.clone(), log_odds: reason.log_odds }
    }
}

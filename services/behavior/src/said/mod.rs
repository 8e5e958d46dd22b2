//! What a model and rules have said of a payment, and which ones: those that judge it, or those that are tried beside them.

pub(crate) mod store;

use api::behavior as wire;

use crate::action::Action;

/// What was said of a payment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) score: f64,
    pub(crate) action: Action,
    pub(crate) reasons: Vec<wire::Reason>,
    pub(crate) model: String,
    pub(crate) rules: String,
}

impl From<Said> for wire::DryRun {
    fn from(said: Said) -> Self {
        let Said { score, action, reasons, model, rules } = said;
        Self { score, action: action.into(), reasons, model, rules }
    }
}

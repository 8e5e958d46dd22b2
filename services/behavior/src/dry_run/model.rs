//! What was tried on a payment.

use api::behavior as wire;

use crate::action::Action;

/// What would have been said of a payment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tried {
    pub(crate) score: f64,
    pub(crate) action: Action,
    pub(crate) reasons: Vec<wire::Reason>,
    pub(crate) model: String,
    pub(crate) rules: String,
}

impl From<Tried> for wire::DryRun {
    fn from(tried: Tried) -> Self {
        let Tried { score, action, reasons, model, rules } = tried;
        Self { score, action: action.into(), reasons, model, rules }
    }
}

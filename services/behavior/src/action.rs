//! What can be done about a payment that does not look like its user.

use serde::Deserialize;
use strum::{AsRefStr, EnumString};

/// What is to be done, from the least to the most. There is no "refuse": a score may be wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, AsRefStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Action {
    /// Nothing.
    #[default]
    Allow,
    /// The user is asked to approve it.
    StepUp,
    /// It is held for a while, and the user can cancel it.
    Delay,
}

impl Action {
    /// All, from the least to the most.
    pub(crate) const ALL: [Self; 3] = [Self::Allow, Self::StepUp, Self::Delay];

    /// What was done, for people.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Allow => "let through",
            Self::StepUp => "asked for approval",
            Self::Delay => "held for a while",
        }
    }
}

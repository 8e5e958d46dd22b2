//! The service's settings. Every field can also be set by environment: `__NAME____NOTES__LONGEST=200`.

use defense::DefenseConfig;
use runtime::Common;
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listener, database, telemetry. There is no public listener.
    pub common: Common,
    /// The layers before every route. Default: none of them is told anything.
    #[serde(default)]
    pub defense: DefenseConfig,
    /// What a note may be.
    pub notes: Notes,
}

/// What a note may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Characters of a note at most: 1 to [`api::__name__::NOTE`], which is what the table takes. Another number stops the start.
    pub longest: usize,
}

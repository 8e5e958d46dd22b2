//! The behavior service's settings. Every field can also be set by environment: `BEHAVIOR__JUDGEMENT__MODEL_FILE=/etc/model.json`.

use std::path::PathBuf;

use defense::DefenseConfig;
use runtime::Common;
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Listener, database, telemetry. There is no public listener.
    pub common: Common,
    /// The layers before every route. Default: as below.
    #[serde(default)]
    pub defense: DefenseConfig,
    /// Who judges.
    pub judgement: Judgement,
}

/// Who judges. Both are read at the start; what does not fit this build is refused then, with both versions named.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// File with the trained model (JSON, as `training/train.py` writes it).
    pub model_file: PathBuf,
    /// File with the rules (TOML).
    pub rules_file: PathBuf,
    /// Tried beside them on every payment; nothing comes of it but a row. Default: nothing is tried.
    #[serde(default)]
    pub dry_run: Option<DryRun>,
}

/// What is tried. Of the two, at least one is another than what judges.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// File with a model. Default: the one that judges.
    #[serde(default)]
    pub model_file: Option<PathBuf>,
    /// File with rules. Default: those that judge.
    #[serde(default)]
    pub rules_file: Option<PathBuf>,
}

//! Who judges, as the configuration says.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::config;
use crate::features::Features;
use crate::judgement::{Judge, Judgement};
use crate::model::Model;
use crate::rules::Rules;

/// The model and the rules that judge together.
#[derive(Debug)]
pub struct Bench {
    /// The trained part.
    pub model: Model,
    /// What people wrote.
    pub rules: Rules,
}

impl Bench {
    /// Reads both.
    ///
    /// # Errors
    ///
    /// One cannot be read, or was made for other features than this build has; the error names both versions.
    pub fn read(files: &config::Judgement) -> Result<Self> {
        let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
        let (model, rules) = (&files.model_file, &files.rules_file);
        let text = String::from_utf8(read(rules)?).with_context(|| rules.display().to_string())?;
        Ok(Self {
            model: Model::read(&read(model)?).with_context(|| model.display().to_string())?,
            rules: Rules::read(&text).with_context(|| rules.display().to_string())?,
        })
    }

    /// What both together think.
    #[must_use]
    pub fn judge(&self, features: &Features) -> Judgement {
        Judge { model: Some(&self.model), rules: &self.rules, by_rules: true }.judge(features)
    }
}

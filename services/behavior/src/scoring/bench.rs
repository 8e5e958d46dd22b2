//! Who judges, as the configuration says.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::config;
use crate::features::Features;
use crate::judgement::{Judge, Judgement};
use crate::model::Model;
use crate::rules::Rules;
use crate::said::Said;

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
    pub fn read(model: &Path, rules: &Path) -> Result<Self> {
        let read = |path: &Path| std::fs::read(path).with_context(|| path.display().to_string());
        let text = String::from_utf8(read(rules)?).with_context(|| rules.display().to_string())?;
        Ok(Self {
            model: Model::read(&read(model)?).with_context(|| model.display().to_string())?,
            rules: Rules::read(&text).with_context(|| rules.display().to_string())?,
        })
    }

    /// Those that judge, and those that are tried beside them.
    ///
    /// # Errors
    ///
    /// As [`Bench::read`]; or what is to be tried has the names of what judges: then a decision would not say which of the two it was.
    pub fn both(settings: &config::Judgement) -> Result<(Self, Option<Self>)> {
        let judges = Self::read(&settings.model_file, &settings.rules_file)?;
        let Some(tried) = &settings.dry_run else { return Ok((judges, None)) };
        let model = tried.model_file.as_ref().unwrap_or(&settings.model_file); // Default: the one that judges
        let rules = tried.rules_file.as_ref().unwrap_or(&settings.rules_file); // Default: those that judge
        let tried = Self::read(model, rules).context("judgement.dry_run")?;
        ensure!(
            tried.names() != judges.names(),
            "judgement.dry_run: the model \"{}\" and the rules \"{}\" judge already; name another file, or give what changed another name or version",
            judges.model.name(),
            judges.rules.version(),
        );
        Ok((judges, Some(tried)))
    }

    /// What model and rules call themselves.
    #[must_use]
    pub fn names(&self) -> (&str, &str) {
        (self.model.name(), self.rules.version())
    }

    /// What both together think.
    #[must_use]
    pub fn judge(&self, features: &Features) -> Judgement {
        Judge { model: Some(&self.model), rules: &self.rules, by_rules: true }.judge(features)
    }

    /// The same, and who has said it.
    pub(crate) fn say(&self, features: &Features) -> Said {
        let Judgement { score, action, reasons } = self.judge(features);
        let (model, rules) = self.names();
        let reasons = reasons.iter().map(Into::into).collect();
        Said { score, action, reasons, model: model.to_owned(), rules: rules.to_owned() }
    }
}

//! Whether a layer's word counts. In a program that serves people, always: a layer in *shadow* or *off* is how it is shown what each of them stops,
//! and what it costs, and exists only in programs built with the feature `ablation` (and in this crate's tests). Any other refuses to start when modes are configured.
//! *Behavior* is no layer before a handler, so nobody sets its mode here: the handler that asks it says whether its word counts ([`crate::Notes`]).

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::LayerId;

/// Whether a layer's word counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Its refusal ends the request.
    #[default]
    Enforce,
    /// Its refusal is written down, and the request goes on. It uses nothing up.
    Shadow,
    /// It does not look. The others build on what the request says of itself.
    Off,
}

/// The mode of each layer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Modes(
    #[cfg(any(test, feature = "ablation"))] BTreeMap<LayerId, Mode>,
    #[cfg(not(any(test, feature = "ablation")))] (),
);

impl Modes {
    /// Those of the configuration.
    ///
    /// # Errors
    ///
    /// One is set for a layer that has only one.
    #[cfg(any(test, feature = "ablation"))]
    pub(crate) fn new(configured: &BTreeMap<LayerId, Mode>) -> Result<Self> {
        anyhow::ensure!(
            !configured.contains_key(&LayerId::Behavior),
            "[defense.modes]: `behavior` has none; whoever asks it says whether its word counts"
        );
        for (layer, mode) in configured {
            runtime::tracing::warn!(layer = layer.name(), ?mode, "a layer does not protect anything");
        }
        Ok(Self(configured.clone()))
    }

    /// Those of the configuration.
    ///
    /// # Errors
    ///
    /// This program has none.
    #[cfg(not(any(test, feature = "ablation")))]
    pub(crate) fn new(configured: &BTreeMap<LayerId, Mode>) -> Result<Self> {
        anyhow::ensure!(
            configured.is_empty(),
            "[defense.modes]: this program has no modes, every layer is enforced; only one built with the feature `ablation` has"
        );
        Ok(Self(()))
    }

    /// That of a layer.
    #[cfg(any(test, feature = "ablation"))]
    pub(crate) fn of(&self, layer: LayerId) -> Mode {
        // Default: it counts.
        self.0.get(&layer).copied().unwrap_or_default()
    }

    /// That of a layer: its word counts.
    #[cfg(not(any(test, feature = "ablation")))]
    #[expect(clippy::unused_self, reason = "a program with modes asks in the same way")]
    pub(crate) fn of(&self, _: LayerId) -> Mode {
        Mode::Enforce
    }
}

//! What became of one request in the layers. The counts, the words on the span and the receipt are made of it; the line in the audit log is the
//! refusal's own.

use std::time::Duration;

use runtime::metrics;

use crate::{LayerId, Mode};

/// What a layer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Said {
    /// Nothing against it.
    Pass,
    /// No.
    Refuse,
    /// Not yet.
    Challenge,
    /// It could not tell.
    Unknown,
}

/// One layer's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Whose.
    pub(crate) layer: LayerId,
    /// Whether it counts.
    pub(crate) mode: Mode,
    /// What it said.
    pub(crate) said: Said,
    /// Why, if it was not that it may go on.
    pub(crate) reason: Option<&'static str>,
    /// How long it took to say so, waiting included.
    pub(crate) took: Duration,
}

impl Decision {
    /// `pass`, `refuse`, …; in shadow `shadow_refuse`, …
    fn words(&self) -> String {
        match self.mode {
            Mode::Enforce => <&str>::from(self.said).to_owned(),
            // One that is off says nothing.
            Mode::Shadow | Mode::Off => format!("shadow_{}", <&str>::from(self.said)),
        }
    }
}

/// The decisions on one request, in their order.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<Decision>);

impl Trail {
    /// One layer's decision. It looks, and later claims: that is one decision, the later word counts, and both took time.
    pub(crate) fn note(&mut self, decision: Decision) {
        match self.0.iter_mut().find(|known| known.layer == decision.layer) {
            None => self.0.push(decision),
            Some(known) => *known = Decision { took: known.took.saturating_add(decision.took), ..decision },
        }
    }

    /// All of them.
    pub(crate) fn decisions(&self) -> &[Decision] {
        &self.0
    }

    /// Counts what let the request go on, and says on the span what each said. What refused it is counted with its line.
    pub(crate) fn close(&self) {
        for decision in &self.0 {
            let word = match (decision.mode, decision.said) {
                (Mode::Enforce, Said::Pass | Said::Unknown) => decision.said.into(),
                // It refuses nothing itself: the payer is asked, by another layer.
                (Mode::Enforce, Said::Challenge) if decision.layer == LayerId::Behavior => decision.said.into(),
                (Mode::Shadow, Said::Refuse | Said::Challenge) => "shadow_refuse",
                _ => continue,
            };
            // Decision: what a layer lets pass, and a word that does not count, are counted as well.
            metrics::decision(decision.layer.name(), word);
        }
        let said = |decision: &Decision| format!("{}={}", decision.layer.name(), decision.words());
        let said = self.0.iter().map(said).collect::<Vec<_>>().join(" ");
        runtime::tracing::Span::current().record("redoubt.decisions", said);
    }
}

//! What became of one request in the layers. The counts and the words on the span are made of it; the line in the audit log is the refusal's own.

use runtime::metrics;

use crate::LayerId;

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
    /// What it said.
    pub(crate) said: Said,
}

/// The decisions on one request, in their order.
#[derive(Debug, Default)]
pub(crate) struct Trail(Vec<Decision>);

impl Trail {
    pub(crate) fn pass(&mut self, layer: LayerId) {
        // It looks, and later claims: one decision.
        if !self.0.iter().any(|decision| decision.layer == layer) {
            self.0.push(Decision { layer, said: Said::Pass });
        }
    }

    /// Anything but that it may go on. A refusal stands in the audit log once it becomes an answer.
    pub(crate) fn note(&mut self, layer: LayerId, said: Said) {
        self.0.retain(|decision| decision.layer != layer);
        self.0.push(Decision { layer, said });
    }

    /// All of them.
    pub(crate) fn decisions(&self) -> &[Decision] {
        &self.0
    }

    /// Counts what let the request go on, and says on the span what each said. What refused it is counted with its line.
    pub(crate) fn close(&self) {
        for decision in &self.0 {
            if let Said::Pass | Said::Unknown = decision.said {
                // Decision: what a layer lets pass is counted as well.
                metrics::decision(decision.layer.name(), <&str>::from(decision.said));
            }
        }
        let said = |decision: &Decision| format!("{}={}", decision.layer.name(), <&str>::from(decision.said));
        let said = self.0.iter().map(said).collect::<Vec<_>>().join(" ");
        runtime::tracing::Span::current().record("redoubt.decisions", said);
    }
}

//! What became of one request in the layers. Each decision is written down here and nowhere else; the counts, the line in the audit log, the span and
//! the receipt are made of it.

use runtime::{Refusal, metrics};

use crate::LayerId;

/// What a layer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Said {
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
pub struct Decision {
    /// Whose.
    pub layer: LayerId,
    /// What it said.
    pub said: Said,
    /// Why, for the operator.
    pub reason: Option<&'static str>,
}

/// The decisions on one request, in their order.
#[derive(Debug, Default)]
pub struct Trail(Vec<Decision>);

impl Trail {
    pub(crate) fn pass(&mut self, layer: LayerId) {
        // It looks, and later claims: one decision.
        if !self.0.iter().any(|decision| decision.layer == layer) {
            self.0.push(Decision { layer, said: Said::Pass, reason: None });
        }
    }

    /// It stands in the audit log once the refusal becomes an answer.
    pub(crate) fn refused(&mut self, layer: LayerId, said: Said, refusal: &Refusal) {
        self.0.retain(|decision| decision.layer != layer);
        self.0.push(Decision { layer, said, reason: refusal.record().map(runtime::Record::reason) });
    }

    pub(crate) fn unknown(&mut self, layer: LayerId, reason: &'static str) {
        self.0.retain(|decision| decision.layer != layer);
        self.0.push(Decision { layer, said: Said::Unknown, reason: Some(reason) });
    }

    /// All of them.
    pub fn decisions(&self) -> &[Decision] {
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

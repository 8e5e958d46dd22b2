//! Verdicts: what was really thought of evidence, for operators only.
//!
//! Each answer, genuine or decoy, carries a random support id; under it the operator finds the reasons in this table and in the
//! audit log. Nothing else in the answer depends on the verdict.

pub(crate) mod store;

use std::sync::LazyLock;

use api::attestation::{Platform, Purpose};
use api::{Build, SupportId};
use identity::{Level, Thumbprint};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::evidence::Reason;

/// `attestation.notes{reason}`: what was odd and did not refuse. A new kind is worth a look: phones may have begun to tell more.
static NOTES: LazyLock<Counter<u64>> =
    LazyLock::new(|| runtime::metrics::meter().u64_counter("attestation.notes").build());

/// What is thought of one request.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) kind: Purpose,
    pub(crate) level: Level,
    /// The build that tokens are issued with.
    pub(crate) build: Build,
    pub(crate) reasons: Vec<Reason>,
    /// It makes a liar of the instance.
    pub(crate) lied: bool,
    pub(crate) notes: Vec<Reason>,
}

impl Verdict {
    pub(crate) const fn is_genuine(&self) -> bool {
        self.reasons.is_empty()
    }

    /// One line in the audit log, and one count. By the device key's thumbprint all verdicts on one instance are found.
    pub(crate) fn audit(&self, support_id: &SupportId, jkt: &Thumbprint, platform: Platform) {
        let outcome = if self.is_genuine() { "genuine" } else { "decoy" };
        // Decision: whoever is given a decoy is not refused.
        runtime::metrics::decision("evidence", outcome);
        for note in codes(&self.notes) {
            NOTES.add(1, &[KeyValue::new("reason", note)]);
        }
        runtime::audit!(
            "attested",
            layer = "evidence",
            outcome,
            reason = codes(&self.reasons).join(" "),
            notes = codes(&self.notes).join(" "),
            kind = self.kind.as_ref(),
            platform = platform.as_ref(),
            level = self.level.as_ref(),
            support_id = support_id.as_str(),
            jkt = jkt.as_str(),
        );
    }
}

fn codes(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.code()).collect()
}

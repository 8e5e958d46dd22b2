//! Verdicts: what was really thought of evidence, for operators only.
//!
//! Each answer, genuine or decoy, carries a random support id; under it the operator finds the reasons in this table and in the
//! audit log. Nothing else in the answer depends on the verdict.

use api::attestation::Platform;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use identity::Level;
use storage::Connection;

use crate::attestations::Presented;
use crate::evidence::Reason;
use crate::schema::verdicts;

/// What is thought of one request.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) kind: &'static str,
    pub(crate) level: Level,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) notes: Vec<Reason>,
}

impl Verdict {
    pub(crate) const fn is_genuine(&self) -> bool {
        self.reasons.is_empty()
    }

    /// One line in the audit log, and one count.
    pub(crate) fn audit(&self, support_id: &str, platform: Platform) {
        let outcome = if self.is_genuine() { "genuine" } else { "decoy" };
        runtime::metrics::decision("evidence", outcome);
        runtime::audit!(
            "attested",
            layer = "evidence",
            outcome,
            reason = codes(&self.reasons).join(" "),
            notes = codes(&self.notes).join(" "),
            kind = self.kind,
            platform = platform.as_str(),
            level = self.level.as_str(),
            support_id,
        );
    }
}

/// Writes the verdict. `token_ids` are the `jti` of what is going to be issued.
pub(crate) async fn insert(
    db: &mut Connection,
    verdict: &Verdict,
    presented: &Presented,
    issued: (&str, &[String]),
    policy: &str,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let (support_id, token_ids) = issued;
    diesel::insert_into(verdicts::table)
        .values((
            verdicts::support_id.eq(support_id),
            verdicts::at.eq(now),
            verdicts::kind.eq(verdict.kind),
            verdicts::genuine.eq(verdict.is_genuine()),
            verdicts::reasons.eq(codes(&verdict.reasons)),
            verdicts::notes.eq(codes(&verdict.notes)),
            verdicts::jkt.eq(presented.jkt.as_str()),
            verdicts::platform.eq(presented.app.platform.as_str()),
            verdicts::client_id.eq(&presented.client_id),
            verdicts::app_id.eq(&presented.app.id),
            verdicts::app_build.eq(i64::from(presented.app.build)),
            verdicts::level.eq(verdict.level.as_str()),
            verdicts::policy.eq(policy),
            verdicts::token_ids.eq(token_ids),
        ))
        .execute(db)
        .await
}

fn codes(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.code()).collect()
}

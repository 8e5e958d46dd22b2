//! Queries on `verdicts`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{AsText, Connection, StorageError};

use super::{Verdict, codes};
use crate::attestations::{Names, Presented};
use crate::ids::PolicyId;
use crate::schema::verdicts;

/// Writes the verdict. `issued` is what is going to be issued under it.
pub(crate) async fn insert(
    db: &mut Connection,
    verdict: &Verdict,
    presented: &Presented,
    issued: &Names,
    policy: &PolicyId,
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    Ok(diesel::insert_into(verdicts::table)
        .values((
            verdicts::support_id.eq(AsText(&issued.support_id)),
            verdicts::at.eq(now),
            verdicts::kind.eq(AsText(verdict.kind)),
            verdicts::genuine.eq(verdict.is_genuine()),
            verdicts::reasons.eq(codes(&verdict.reasons)),
            verdicts::notes.eq(codes(&verdict.notes)),
            verdicts::jkt.eq(AsText(&presented.jkt)),
            verdicts::platform.eq(AsText(presented.app.platform)),
            verdicts::client_id.eq(AsText(&presented.client_id)),
            verdicts::app_id.eq(AsText(&presented.app.id)),
            verdicts::app_build.eq(verdict.build.as_str()),
            verdicts::level.eq(AsText(verdict.level)),
            verdicts::policy.eq(policy),
            verdicts::token_ids.eq(&issued.token_ids),
        ))
        .execute(db)
        .await?)
}

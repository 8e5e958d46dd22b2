//! Queries on `verdicts`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use storage::{Connection, StorageError};

use super::{Verdict, codes};
use crate::attestations::Presented;
use crate::schema::verdicts;

/// Writes the verdict. `token_ids` are the `jti` of what is going to be issued.
pub(crate) async fn insert(
    db: &mut Connection,
    verdict: &Verdict,
    presented: &Presented,
    issued: (&str, &[String]),
    policy: &str,
    now: DateTime<Utc>,
) -> Result<usize, StorageError> {
    let (support_id, token_ids) = issued;
    Ok(diesel::insert_into(verdicts::table)
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
            verdicts::app_build.eq(verdict.build.as_str()),
            verdicts::level.eq(verdict.level.as_str()),
            verdicts::policy.eq(policy),
            verdicts::token_ids.eq(token_ids),
        ))
        .execute(db)
        .await?)
}

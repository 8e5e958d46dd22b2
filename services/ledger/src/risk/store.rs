//! Whose accounts are, and the word beside a posting. As `ledger_poster`.

use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Pool, StorageError, row, statement};

use super::model::{Judged, action};
use crate::ids::{AccountId, DecisionId, Subject, TransferId};
use crate::posting::{Broken, Extra, Posting, Reason, Rows};

statement! {
    /// Whose customers' accounts are.
    OwnersOf -> (SqlUuid, Text) {
        "select id, owner from accounts where owner is not null and id = any(" accounts: Array<SqlUuid> = &'a [AccountId],
    } ")"
}

/// Who owns those of the accounts that are customers'.
pub(super) async fn owners(pool: &Pool, accounts: &[AccountId]) -> Result<Vec<(AccountId, Subject)>, StorageError> {
    let mut db = storage::connection(pool).await?;
    Ok(OwnersOf { accounts, ..OwnersOf::default() }.load(&mut *db).await?)
}

row! {
    /// What was thought of a payment that is made now.
    RiskWord at 40 waits false: "insert into risk_words (transfer_id, decision_id, action) select * from" {
        transfer_id: TransferId, decision_id: DecisionId, action: &'static str,
    } ""
}

/// The word, and what else whoever ordered the posting writes beside it.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) judged: Judged,
    pub(super) extra: Extra,
}

impl crate::posting::Beside for Beside {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        let Judged { decision, action: done } = self.judged;
        rows.add(RiskWord { transfer_id: posting.id, decision_id: decision, action: action(done) })?;
        match &self.extra {
            Extra::Beside(client) => client.rows(posting, rows),
            Extra::Nothing => Ok(()),
            Extra::Refused(_) => Err(Broken("a refusal that was posted")),
        }
    }

    fn suspended(&self, posting: &Posting<'_>, why: Reason, rows: &mut Rows) -> Result<(), Broken> {
        match &self.extra {
            Extra::Beside(client) => client.suspended(posting, why, rows),
            Extra::Nothing | Extra::Refused(_) => Err(Broken("money for suspense without the event that told of it")),
        }
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        match &self.extra {
            Extra::Beside(client) => client.ceiling(constraint),
            Extra::Nothing | Extra::Refused(_) => None,
        }
    }
}

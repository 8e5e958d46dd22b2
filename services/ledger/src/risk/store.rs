//! Whose accounts are, and the word beside a posting. As `ledger_poster`.

use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use storage::{Pool, StorageError, row, statement};

use super::model::Judged;
use crate::ids::{AccountId, DecisionId, Subject, TransferId};
use crate::posting::{Broken, Posting, Rows};

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

/// The word, as it goes with the posting.
#[derive(Debug)]
pub(super) struct Beside(pub(super) Judged);

impl crate::posting::Beside for Beside {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        let Judged { decision, action } = self.0;
        rows.add(RiskWord { transfer_id: posting.id, decision_id: decision, action: action.into() })
    }
}

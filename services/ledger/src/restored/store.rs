//! Queries about books that were restored.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, StorageError};

use crate::error::Error;
use crate::ids::TransferId;
use crate::schema::transfers;

/// Those of the ids that the books know.
pub(super) async fn known(db: &mut Connection, ids: &[TransferId]) -> Result<HashSet<TransferId>, StorageError> {
    let known = diesel::sql_query("select id from transfers where id = any($1)").bind::<Array<SqlUuid>, _>(ids);
    Ok(known.load::<Known>(db).await?.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = SqlUuid)]
    id: TransferId,
}

/// An order that was found, and whose payer is not known yet.
#[derive(QueryableByName)]
pub(super) struct Unclaimed {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: TransferId,
    #[diesel(sql_type = BigInt)]
    amount: i64,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Text)]
    pub(super) counterparty: String,
    #[diesel(sql_type = Text)]
    pub(super) reference: String,
}

impl Unclaimed {
    pub(super) fn money(&self) -> Result<Money, Error> {
        let currency =
            self.currency.parse().map_err(|_| Error::Invariant("a currency that this version does not know"))?;
        Ok(Money::new(self.amount, currency))
    }
}

const UNCLAIMED: &str = "
    select t.id, t.amount, t.currency, t.counterparty, t.reference
    from transfers t join accounts a on a.id = t.from_account
    where t.kind = 'payout_found' and a.purpose = 'suspense' and not exists (
        select from idempotency i where i.owner = $1 and i.operation = 'payout_found' and i.key = t.id || $2)
    order by t.sequence";

/// All of them: they are few, and a person's work.
pub(super) async fn unclaimed(db: &mut Connection) -> Result<Vec<Unclaimed>, StorageError> {
    let query = diesel::sql_query(UNCLAIMED).bind::<Text, _>(super::book::OWNER).bind::<Text, _>(super::book::CLAIM);
    Ok(query.load(db).await?)
}

/// Whose order that was found this is: the posting that took it off a customer, if one has.
pub(super) async fn is_there(db: &mut Connection, id: TransferId) -> Result<bool, StorageError> {
    let count: i64 = transfers::table.filter(transfers::id.eq(id)).count().get_result(db).await?;
    Ok(count > 0)
}

/// From now on the books are those of this cluster on this timeline.
pub(super) async fn open(db: &mut Connection) -> Result<(), StorageError> {
    let open = "insert into lifelines (system_identifier, timeline) select l.system_identifier, l.timeline from lifeline() l on conflict do nothing";
    diesel::sql_query(open).execute(db).await?;
    Ok(())
}

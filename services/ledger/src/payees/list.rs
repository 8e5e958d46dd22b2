//! A page of an owner's payees that are not removed, oldest first.

use api::page::PageQuery;
use api::payees::PayeePage;

use super::store::{self, Payee};
use crate::error::Error;
use crate::ids::{PayeeId, Subject};
use crate::page::{BY_TIME, PageRequest, time_key, time_position};
use crate::state::State;

pub async fn list(state: &State, owner: &Subject, query: &PageQuery) -> Result<PayeePage, Error> {
    let wanted = PageRequest::<BY_TIME>::read(query)?;
    let after = wanted.after.map(time_position).transpose()?.map(|(at, id)| (at, PayeeId::from_bytes(id)));
    let mut rows = storage::subject_transaction(&state.pool, "payees.list", owner.as_str(), async |db| {
        Ok::<_, Error>(store::list(db, owner, after, wanted.rows()).await?)
    })
    .await?;
    let next = wanted.cut(&mut rows, |payee| time_key(payee.created_at, payee.id.as_bytes()));
    let payees = rows.into_iter().map(Payee::wire).collect();
    Ok(PayeePage { payees, next })
}

//! What is written beside a small payment that its payer was not asked to approve: it counts, together with those since the last one that was approved. The
//! database adds up and refuses, exactly, whatever comes at once; nobody reads before each payment what has been paid so far. Only who has met the limit is
//! looked up before an order is queued, so that it takes nobody else's posting with it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, StorageError, row};

use crate::approvals::low_value::Together;
use crate::ids::{AccountId, Owner, TransferId};
use crate::posting::{Beside, Broken, Posting, Rows};

/// The word for having paid as much in small payments as one may. It is no outcome of the key: an approval helps, or one more later.
pub(crate) const USED_UP: &str = "low_value_used_up";

/// A small payment that counts.
#[derive(Debug, Clone, Copy)]
pub(in crate::approvals) struct Exempt {
    pub(in crate::approvals) most: Together,
}

row! {
    /// A payment without approval, and by what exemption. After the approvals that are used in its batch, which begin the count anew.
    NewExemption at 55: "insert into exemptions (transfer_id, owner, exemption, amount, currency, most_amount, most_payments) \
        select t.id, r.owner, case when p.owner = r.owner then 'own_account' else 'low_value' end, t.amount, t.currency, \
               r.most_amount, r.most_payments from" {
        transfer_id: TransferId, owner: Owner, most_amount: i64, most_payments: i64,
    } "join transfers t on t.id = r.transfer_id left join accounts p on p.id = t.to_account"
}

impl Beside for Exempt {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        rows.add(NewExemption {
            transfer_id: posting.id,
            owner: posting.order.owner.clone(),
            most_amount: self.most.amount,
            most_payments: self.most.payments,
        })
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        (constraint == USED_UP).then_some(USED_UP)
    }
}

/// It goes to an account of the same owner, or there is room for it beside what was paid in small payments so far.
const ROOM: &str = "
    select exists (select from accounts a where a.id = $6 and a.owner = $1)
            or $3 <= $4 and $5 > 0 and not exists (
                select from low_value_counters c
                where c.owner = $1 and c.currency = $2 and (c.amount > $4 - $3 or c.payments >= $5)) as room,
        not exists (
            select from low_value_counters c where c.owner = $1 and c.currency = $2 and (c.amount, c.payments) <> (0, 0)) as begun_anew";

#[derive(QueryableByName)]
pub(in crate::approvals) struct Room {
    #[diesel(sql_type = Bool)]
    pub(in crate::approvals) room: bool,
    /// Nothing counts yet, or since the last approval.
    #[diesel(sql_type = Bool)]
    pub(in crate::approvals) begun_anew: bool,
}

/// Whether there is room for one more. As the owner: row-level security shows their own.
pub(in crate::approvals) async fn room(
    db: &mut Connection,
    owner: &Owner,
    amount: Money,
    to: AccountId,
    most: Together,
) -> Result<Room, StorageError> {
    let query = diesel::sql_query(ROOM).bind::<Text, _>(owner).bind::<Text, _>(amount.currency().code());
    let query = query.bind::<BigInt, _>(amount.minor()).bind::<BigInt, _>(most.amount);
    let query = query.bind::<BigInt, _>(most.payments).bind::<SqlUuid, _>(to);
    Ok(query.get_result(db).await?)
}

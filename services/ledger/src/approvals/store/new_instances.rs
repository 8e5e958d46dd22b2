//! What is written beside a payment of a new instance: it counts, together with those of all new instances of its owner within the time in which one cools off.
//! The database adds up and refuses, exactly, whatever comes at once and through however many phones. Who is new is looked up before the order is queued, too, so
//! that it takes nobody else's posting with it; nobody else is.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use money::Money;
use storage::{Connection, StorageError, row};

use crate::approvals::new_instance::Limit;
use crate::ids::{AccountId, Owner, TransferId};
use crate::posting::{Beside, Broken, Posting, Rows};

/// The word for having moved as much out of the house, or to others, as new instances may. It is no outcome of the key: time helps, and so may an approval.
pub(crate) const NEW_INSTANCE: &str = "new_instances_within_the_cap";

/// A payment that counts.
#[derive(Debug, Clone, Copy)]
pub(in crate::approvals) struct Counted {
    pub(in crate::approvals) limit: Limit,
}

row! {
    /// A payment of a new instance. What goes to an account of the same owner does not count.
    NewInstancePayment at 57: "insert into new_instance_payments (transfer_id, owner, counts, amount, currency, most_amount, cool_off_seconds) \
        select t.id, r.owner, p.owner is distinct from r.owner, t.amount, t.currency, r.most_amount, r.cool_off_seconds::integer from" {
        transfer_id: TransferId, owner: Owner, most_amount: i64, cool_off_seconds: i64,
    } "join transfers t on t.id = r.transfer_id left join accounts p on p.id = t.to_account"
}

impl Beside for Counted {
    fn rows(&self, posting: &Posting<'_>, rows: &mut Rows) -> Result<(), Broken> {
        rows.add(NewInstancePayment {
            transfer_id: posting.id,
            owner: posting.order.owner.clone(),
            most_amount: self.limit.cap.minor(),
            cool_off_seconds: self.limit.cool_off_seconds.into(),
        })
    }

    fn ceiling(&self, constraint: &str) -> Option<&'static str> {
        (constraint == NEW_INSTANCE).then_some(NEW_INSTANCE)
    }
}

/// It goes to an account of the same owner, or there is room for it beside what new instances have moved lately.
const ROOM: &str = "
    select exists (select from accounts a where a.id = $6 and a.owner = $1)
            or $3 + coalesce((
                select sum(p.amount) from new_instance_payments p
                where p.owner = $1 and p.currency = $2 and p.counts
                  and p.counted_at > clock_timestamp() - make_interval(secs => $5)), 0) <= $4 as room";

#[derive(QueryableByName)]
struct Room {
    #[diesel(sql_type = Bool)]
    room: bool,
}

/// Whether there is room for one more. As the owner: row-level security shows their own.
pub(in crate::approvals) async fn room(
    db: &mut Connection,
    owner: &Owner,
    amount: Money,
    to: AccountId,
    limit: &Limit,
) -> Result<bool, StorageError> {
    let query = diesel::sql_query(ROOM).bind::<Text, _>(owner).bind::<Text, _>(amount.currency().code());
    let query = query.bind::<BigInt, _>(amount.minor()).bind::<BigInt, _>(limit.cap.minor());
    let query = query.bind::<Integer, _>(limit.cool_off_seconds).bind::<SqlUuid, _>(to);
    Ok(query.get_result::<Room>(db).await?.room)
}

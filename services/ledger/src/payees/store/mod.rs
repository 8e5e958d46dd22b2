//! Queries on `payees`, as `ledger_app` and for its subject only.

pub(super) mod checks;

use api::payees::NameCheck;
use api::payouts::MaskedIban;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Double, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;
use storage::{Connection, Pool, StorageError};

use self::checks::Check;
use super::word::{self, Word};
use crate::ids::{PayeeId, Subject};
use crate::input::time;
use crate::schema::{payee_checks, payees};

/// A payee as its owner has it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = payees)]
pub struct Payee {
    pub id: PayeeId,
    /// As the owner wrote it.
    pub name: String,
    /// In electronic form.
    pub iban: String,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// Until when it is new.
    pub cools_off_at: DateTime<Utc>,
    /// It is new: by the database's clock, as the guard on payouts will say.
    #[diesel(select_expression = sql::<Bool>("cools_off_at > clock_timestamp()"))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    pub is_new: bool,
    /// Since when nothing is paid to it.
    pub removed_at: Option<DateTime<Utc>>,
    /// What was said of its name; none, if nobody was asked.
    #[diesel(embed)]
    pub check: Option<Check>,
}

impl Payee {
    /// What is known of its name, as it travels.
    pub fn name_check(&self) -> NameCheck {
        let Some(check) = &self.check else { return NameCheck::NotChecked };
        word::wire(check.word.map(|word| word.0), check.holder.clone(), check.told_at.map(time))
    }

    /// Its account belongs to somebody else; or that is being asked, and so may turn out.
    pub fn may_have_another_name(&self) -> bool {
        let is_no_match = |check: &Check| check.word.is_some_and(|word| word.0 == Word::NoMatch);
        self.check.as_ref().is_some_and(|check| check.is_under_way || is_no_match(check))
    }

    /// Nobody was asked about its name, or nobody has answered and it is time to ask again.
    pub fn is_to_be_checked(&self) -> bool {
        self.check.as_ref().is_none_or(|check| check.is_due)
    }

    /// As it travels.
    pub fn wire(self) -> api::payees::Payee {
        let name_check = self.name_check();
        api::payees::Payee {
            id: self.id.into(),
            name: self.name,
            iban: MaskedIban::of(&self.iban),
            created_at: time(self.created_at),
            cools_off_at: time(self.cools_off_at),
            name_check,
            removed_at: self.removed_at.map(time),
        }
    }
}

/// A payee to add. What is not here gets the table's defaults: the role may not set it.
#[derive(Debug)]
pub(super) struct NewPayee<'a> {
    pub(super) id: PayeeId,
    pub(super) owner: &'a Subject,
    pub(super) name: &'a str,
    pub(super) iban: &'a str,
    /// How long it is new.
    pub(super) cooling_off_seconds: u32,
}

/// Adds one that is not there yet; tells how many that were.
pub(super) async fn insert(db: &mut Connection, payee: &NewPayee<'_>) -> Result<usize, StorageError> {
    let seconds = f64::from(payee.cooling_off_seconds).into_sql::<Double>();
    let row = (
        payees::id.eq(payee.id),
        payees::owner.eq(payee.owner),
        payees::name.eq(payee.name),
        payees::iban.eq(payee.iban),
        payees::cools_off_at.eq(sql::<Timestamptz>("statement_timestamp() + make_interval(secs => ")
            .bind::<Double, _>(seconds)
            .sql(")")),
    );
    // Of another payee with the IBAN the database tells by its index.
    Ok(diesel::insert_into(payees::table).values(row).on_conflict(payees::id).do_nothing().execute(db).await?)
}

/// One payee of this owner, removed or not.
pub(crate) async fn find(db: &mut Connection, owner: &Subject, id: PayeeId) -> Result<Option<Payee>, StorageError> {
    let query = payees::table.left_join(payee_checks::table);
    let query = query.filter(payees::id.eq(id)).filter(payees::owner.eq(owner));
    Ok(query.select(Payee::as_select()).first(db).await.optional()?)
}

/// The subject's payee of that name and IBAN that is not removed.
pub(crate) async fn find_named(db: &mut Connection, name: &str, iban: &str) -> Result<Option<Payee>, StorageError> {
    let query = payees::table.left_join(payee_checks::table).filter(payees::removed_at.is_null());
    let query = query.filter(payees::iban.eq(iban)).filter(payees::name.eq(name));
    Ok(query.select(Payee::as_select()).first(db).await.optional()?)
}

/// Whether there is one of this name, whosever it is: for the audit log, as `ledger_poster`.
pub(crate) async fn is_anybodys(poster: &Pool, id: PayeeId) -> Result<bool, StorageError> {
    let mut db = storage::connection(poster).await?;
    Ok(diesel::select(diesel::dsl::exists(payees::table.find(id).select(payees::id))).get_result(&mut db).await?)
}

/// Removes one that is not removed; tells how many that were. The time is the database's.
pub(super) async fn remove(db: &mut Connection, owner: &Subject, id: PayeeId) -> Result<usize, StorageError> {
    let live =
        payees::table.filter(payees::id.eq(id)).filter(payees::owner.eq(owner)).filter(payees::removed_at.is_null());
    Ok(diesel::update(live)
        .set(payees::removed_at.eq(sql::<Nullable<Timestamptz>>("statement_timestamp()")))
        .execute(db)
        .await?)
}

/// Payees of this owner that are not removed, after a position in the order of their addition.
pub(super) async fn list(
    db: &mut Connection,
    owner: &Subject,
    after: Option<(DateTime<Utc>, PayeeId)>,
    limit: i64,
) -> Result<Vec<Payee>, StorageError> {
    let query = payees::table.left_join(payee_checks::table);
    let mut query = query.filter(payees::owner.eq(owner)).filter(payees::removed_at.is_null()).into_boxed();
    if let Some((at, id)) = after {
        // The first condition is what the index is entered by.
        let later = payees::created_at.gt(at).or(payees::id.gt(id));
        query = query.filter(payees::created_at.ge(at)).filter(later);
    }
    let query = query.order((payees::created_at, payees::id)).limit(limit);
    Ok(query.select(Payee::as_select()).load(db).await?)
}

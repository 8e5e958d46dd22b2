//! Statements as types of their own rather than `sql_query`, so that diesel prepares each once per connection: preparing costs more than
//! running them.

use std::future::Future;

use chrono::NaiveDate;
use diesel::sql_types::{self, Nullable, Text};
use uuid::Uuid;

use crate::{Connection, StorageError};

/// What the macros of this module name, so that a store need not.
#[doc(hidden)]
pub mod parts {
    pub use api::Id as WireId;
    pub use diesel::deserialize::{FromSql, FromSqlRow, Result as Read};
    pub use diesel::expression::AsExpression;
    pub use diesel::pg::{Pg, PgValue};
    pub use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
    pub use diesel::serialize::{Output, Result as Written, ToSql};
    pub use diesel::sql_types::Array;
    pub use diesel::{QueryResult, sql_types};
    pub use diesel_async::RunQueryDsl;
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
    pub use uuid::Uuid;

    pub use super::{Cell, all};
}

/// A row of a table, or a change of one. However many there are, one statement writes them: each column is bound as one array.
pub trait Row: Sized + Send + 'static {
    /// Its table's place among all that a transaction writes: in the same order everywhere, so that no two wait for each other.
    const PLACE: u8;
    /// Whether others may hold rows that it changes.
    const WAITS: bool = true;

    /// Writes them. Fails as the statement does, and if it wrote another number of rows than there are.
    fn write(rows: Vec<Self>, db: &mut Connection) -> impl Future<Output = Result<(), StorageError>> + Send;
}

/// A row that has already gone another way, though nothing else said so: better none than a part of them.
#[doc(hidden)]
pub fn all(named: usize, written: usize) -> Result<(), StorageError> {
    if written == named { Ok(()) } else { Err(StorageError::Query(diesel::result::Error::NotFound)) }
}

/// What can stand in a column, and its type in SQL.
#[doc(hidden)]
pub trait Cell {
    /// Likewise of one cell.
    type Sql;
}

macro_rules! cells {
    ($($type:ty = $sql:ty),*) => { $(impl Cell for $type { type Sql = $sql; })* };
}
cells!(Uuid = sql_types::Uuid, i64 = sql_types::BigInt, NaiveDate = sql_types::Date);
cells!(Vec<u8> = sql_types::Binary, String = Text, &str = Text, Option<String> = Nullable<Text>);

/// A statement as text with its binds in order, and the types of its rows.
#[macro_export]
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident -> $row:ty { $($sql:literal $field:ident: $sql_type:ty = $type:ty,)* } $end:literal) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> { $(pub(super) $field: $type,)* pub(super) borrowed: ::std::marker::PhantomData<&'a ()> }

        const _: () = {
            use $crate::parts::{AstPass, Pg, Query, QueryFragment, QueryId, QueryResult};

            impl QueryFragment<Pg> for $name<'_> {
                fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                    $(out.push_sql($sql); out.push_bind_param::<$sql_type, _>(&self.$field)?;)*
                    out.push_sql($end);
                    Ok(())
                }
            }

            impl QueryId for $name<'_> {
                type QueryId = $name<'static>;
                const HAS_STATIC_QUERY_ID: bool = true;
            }

            impl Query for $name<'_> {
                type SqlType = $row;
            }
        };
    };
}

/// A type of row, its [`Row::PLACE`], and the statement that writes any number of them: what stands before them, the columns, what stands
/// behind. In the statement they are called `r`, and their columns as the fields.
#[macro_export]
macro_rules! row {
    ($(#[$doc:meta])* $name:ident at $place:literal $(waits $waits:literal)?: $sql:literal { $first:ident: $first_type:ty $(, $field:ident: $type:ty)* $(,)? } $end:literal) => {
        $(#[$doc])*
        pub(super) struct $name { pub(super) $first: $first_type, $(pub(super) $field: $type,)* }

        const _: () = {
            use $crate::parts::*;

            #[derive(Default)]
            struct Columns { $first: Vec<$first_type>, $($field: Vec<$type>,)* }

            impl QueryFragment<Pg> for Columns {
                fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                    out.push_sql(concat!($sql, " unnest("));
                    out.push_bind_param::<Array<<$first_type as Cell>::Sql>, _>(&self.$first)?;
                    $(out.push_sql(", "); out.push_bind_param::<Array<<$type as Cell>::Sql>, _>(&self.$field)?;)*
                    out.push_sql(concat!(") as r (", stringify!($first), $(", ", stringify!($field),)* ") ", $end));
                    Ok(())
                }
            }

            impl QueryId for Columns {
                type QueryId = Self;
                const HAS_STATIC_QUERY_ID: bool = true;
            }

            impl $crate::Row for $name {
                const PLACE: u8 = $place;
                $(const WAITS: bool = $waits;)?

                async fn write(rows: Vec<Self>, db: &mut $crate::Connection) -> Result<(), $crate::StorageError> {
                    let (named, mut columns) = (rows.len(), Columns::default());
                    for row in rows {
                        columns.$first.push(row.$first);
                        $(columns.$field.push(row.$field);)*
                    }
                    all(named, RunQueryDsl::execute(columns, db).await?)
                }
            }
        };
    };
}

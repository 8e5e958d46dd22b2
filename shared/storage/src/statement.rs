//! Statements as types of their own rather than `sql_query`, so that diesel prepares each once per connection: preparing costs more than
//! running them.

/// What the macro names, so that a store need not.
#[doc(hidden)]
pub mod parts {
    pub use diesel::QueryResult;
    pub use diesel::pg::Pg;
    pub use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
    pub use diesel::sql_types;
}

/// A statement as text with its binds in order, and the types of its rows.
#[macro_export]
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident -> $row:ty { $($sql:literal $field:ident: $sql_type:ty = $type:ty,)* } $end:literal) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> { $(pub(super) $field: $type,)* pub(super) borrowed: ::std::marker::PhantomData<&'a ()> }

        impl $crate::parts::QueryFragment<$crate::parts::Pg> for $name<'_> {
            fn walk_ast<'b>(
                &'b self,
                mut out: $crate::parts::AstPass<'_, 'b, $crate::parts::Pg>,
            ) -> $crate::parts::QueryResult<()> {
                $(out.push_sql($sql); out.push_bind_param::<$sql_type, _>(&self.$field)?;)*
                out.push_sql($end);
                Ok(())
            }
        }

        impl $crate::parts::QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl $crate::parts::Query for $name<'_> {
            type SqlType = $row;
        }
    };
}

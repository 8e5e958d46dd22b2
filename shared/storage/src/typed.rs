//! Types of a service's own for what is a UUID or a text in the database, so that one cannot be taken for another. They are bound and read as what
//! they are, and this is the only place that looks inside. [`AsText`] is for types that are not a service's own, and for enums.

use std::error::Error;
use std::fmt::Debug;
use std::str::FromStr;

use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{Output, ToSql};
use diesel::sql_types::Text;

/// What the database has as text: an enum with strum's, or a type of another crate. A text that is none of its values is an error, never a
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct AsText<T>(pub T);

impl<T: Debug + AsRef<str>> ToSql<Text, Pg> for AsText<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> diesel::serialize::Result {
        ToSql::<Text, Pg>::to_sql(self.0.as_ref(), out)
    }
}

impl<T: FromStr<Err: Error + Send + Sync + 'static>> FromSql<Text, Pg> for AsText<T> {
    fn from_sql(value: PgValue<'_>) -> diesel::deserialize::Result<Self> {
        Ok(Self(std::str::from_utf8(value.as_bytes())?.parse()?))
    }
}

/// Types for ids, one for each kind of thing.
#[macro_export]
macro_rules! id {
    ($($(#[$doc:meta])* $name:ident);+ $(;)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive($crate::parts::AsExpression, $crate::parts::FromSqlRow)]
        #[diesel(sql_type = $crate::parts::sql_types::Uuid)]
        pub struct $name($crate::parts::Uuid);

        impl $name {
            /// The id of these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self($crate::parts::Uuid::from_bytes(bytes))
            }

            /// The 16 bytes of the UUID.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        const _: () = {
            use $crate::parts::*;

            impl From<Uuid> for $name {
                fn from(id: Uuid) -> Self {
                    Self(id)
                }
            }

            impl From<$name> for Uuid {
                fn from(id: $name) -> Self {
                    id.0
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    self.0.serialize(serializer)
                }
            }

            impl ToSql<sql_types::Uuid, Pg> for $name {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> Written {
                    ToSql::<sql_types::Uuid, Pg>::to_sql(&self.0, out)
                }
            }

            impl FromSql<sql_types::Uuid, Pg> for $name {
                fn from_sql(value: PgValue<'_>) -> Read<Self> {
                    FromSql::<sql_types::Uuid, Pg>::from_sql(value).map(Self)
                }
            }

            impl Cell for $name {
                type Sql = sql_types::Uuid;
            }
        };

        $crate::shown!($name);
    )+ };
}

/// The same, of what is called so on the wire, too: they come from there as [`api::Id`] and go back to it.
#[macro_export]
macro_rules! wire_id {
    ($($(#[$doc:meta])* $name:ident);+ $(;)?) => { $(
        $crate::id! { $(#[$doc])* $name }

        impl From<$crate::parts::WireId> for $name {
            fn from(id: $crate::parts::WireId) -> Self {
                Self(id.uuid())
            }
        }

        impl From<$name> for $crate::parts::WireId {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
    )+ };
}

/// Types for texts that name something, one for each kind of thing. Copies share the text.
#[macro_export]
macro_rules! name {
    ($($(#[$doc:meta])* $name:ident);+ $(;)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive($crate::parts::AsExpression, $crate::parts::FromSqlRow)]
        #[diesel(sql_type = $crate::parts::sql_types::Text)]
        pub struct $name(::std::sync::Arc<str>);

        impl $name {
            /// The name that this text is. What it may be was checked where it came from.
            pub fn of(text: &str) -> Self {
                Self(text.into())
            }

            /// The text that the column holds.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        const _: () = {
            use $crate::parts::*;

            impl From<&str> for $name {
                fn from(text: &str) -> Self {
                    Self::of(text)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    self.0.serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    Deserialize::deserialize(deserializer).map(Self)
                }
            }

            impl ToSql<sql_types::Text, Pg> for $name {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> Written {
                    ToSql::<sql_types::Text, Pg>::to_sql(self.as_str(), out)
                }
            }

            impl FromSql<sql_types::Text, Pg> for $name {
                fn from_sql(value: PgValue<'_>) -> Read<Self> {
                    Ok(Self::of(::std::str::from_utf8(value.as_bytes())?))
                }
            }

            impl Cell for $name {
                type Sql = sql_types::Text;
            }
        };

        $crate::shown!($name);
    )+ };
}

/// As the one thing in it is shown.
#[doc(hidden)]
#[macro_export]
macro_rules! shown {
    ($name:ident) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

//! Rows that the engine's clients write beside the postings of a batch, in its transaction. Each client owns its tables and their SQL; the
//! engine knows none of them, and writes each with one statement, whatever the size of the batch.

use std::any::Any;
use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use storage::{Connection, Row, StorageError};

use super::model::Broken;

/// The rows of a batch, by the place of their table. Those that others may hold are waited for with every account of the batch in hand, so not
/// for long.
#[derive(Default)]
pub struct Rows(BTreeMap<u8, Box<dyn TableRows>>);

impl Rows {
    /// Adds one. Fails if two tables have one place.
    pub fn add<T: Row>(&mut self, row: T) -> Result<(), Broken> {
        let table: &mut dyn Any = self.0.entry(T::PLACE).or_insert_with(|| Box::new(Vec::<T>::new())).as_mut();
        table.downcast_mut::<Vec<T>>().ok_or(Broken("two tables have one place"))?.push(row);
        Ok(())
    }

    /// The tables, in the order in which they are written.
    pub(super) fn tables(&mut self) -> impl Iterator<Item = &mut Box<dyn TableRows>> {
        self.0.values_mut()
    }
}

/// The rows of one table.
pub(super) trait TableRows: Any + Send {
    fn waits(&self) -> bool;
    /// Writes them; none are left.
    fn write<'d>(&mut self, db: &'d mut Connection) -> BoxFuture<'d, Result<(), StorageError>>;
}

impl<T: Row> TableRows for Vec<T> {
    fn waits(&self) -> bool {
        T::WAITS
    }

    fn write<'d>(&mut self, db: &'d mut Connection) -> BoxFuture<'d, Result<(), StorageError>> {
        Box::pin(T::write(std::mem::take(self), db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    storage::row! {
        /// A table.
        One at 1: "insert into one select * from" { id: i64 } ""
    }
    storage::row! {
        /// Another one that wants its place.
        Other at 1: "insert into other select * from" { id: i64 } ""
    }

    #[test]
    fn two_tables_of_one_place_are_a_fault_and_not_left_out() {
        let mut rows = Rows::default();
        assert_eq!((rows.add(One { id: 1 }), rows.add(One { id: 2 })), (Ok(()), Ok(())));
        assert_eq!(rows.add(Other { id: 3 }), Err(Broken("two tables have one place")));
        assert_eq!(rows.tables().count(), 1);
    }
}

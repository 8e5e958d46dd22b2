//! Rows that the engine's clients write beside the postings of a batch, in its transaction. Each client owns its tables and their SQL; the
//! engine knows none of them, and writes each with one statement, whatever the size of the batch.

use std::any::Any;
use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use storage::{Connection, Row, StorageError};

use super::model::Broken;

/// A table that a client writes to.
pub trait Table: Row {
    /// Its place among all tables. Every batch writes them in this order, so that no two wait for each other.
    const PLACE: u8;
    /// Whether others may hold rows that it changes. Such rows are waited for with every account of the batch in hand, so not for long.
    const WAITS: bool = true;
}

/// The rows of a batch, by table.
#[derive(Default)]
pub struct Rows(BTreeMap<u8, Box<dyn Sheet>>);

impl Rows {
    /// Adds one. Fails if two tables have one place.
    pub fn add<T: Table>(&mut self, row: T) -> Result<(), Broken> {
        let sheet: &mut dyn Any = self.0.entry(T::PLACE).or_insert_with(|| Box::new(Vec::<T>::new())).as_mut();
        sheet.downcast_mut::<Vec<T>>().ok_or(Broken("two tables have one place"))?.push(row);
        Ok(())
    }

    /// The tables, in the order in which they are written.
    pub(super) fn tables(&mut self) -> impl Iterator<Item = &mut Box<dyn Sheet>> {
        self.0.values_mut()
    }
}

/// The rows of one table.
pub(super) trait Sheet: Any + Send {
    fn waits(&self) -> bool;
    /// Writes them; none are left.
    fn write<'d>(&mut self, db: &'d mut Connection) -> BoxFuture<'d, Result<(), StorageError>>;
}

impl<T: Table> Sheet for Vec<T> {
    fn waits(&self) -> bool {
        T::WAITS
    }

    fn write<'d>(&mut self, db: &'d mut Connection) -> BoxFuture<'d, Result<(), StorageError>> {
        Box::pin(T::write(std::mem::take(self), db))
    }
}

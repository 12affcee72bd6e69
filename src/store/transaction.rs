//! The write half of a store: one transaction at a time, which reads, and hands its writes over together with the commit.

use std::time::Duration;

use super::cell::{Cell, Key, ToCell as _};
use super::entry::Seq;
use super::error::{Error, Result};
use super::rows::{Rows, StoredUser};
use super::select::Condition;
use super::table::{RowCells, Table, WriteRow};
use super::tables::APP_USERS;
use crate::domain::{AppId, RecordKey};
use crate::format::list_columns::Columns;

/// A database that holds a directory. One worker writes, so one transaction is open at a time.
pub trait Store: Send {
    /// Begins a transaction, once nothing else writes.
    ///
    /// # Errors
    /// The database cannot be written, or a file of it was lost.
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>>;

    /// Work between two transactions, such as a checkpoint. Provided for a store that has none, as are the next ones.
    ///
    /// # Errors
    /// The database cannot be written. Only a fatal error stops the worker; see [`Error::is_fatal`].
    fn after_commit(&mut self) -> Result<()> {
        Ok(())
    }

    /// Takes a small step of the store's own maintenance, such as to remake a derived table.
    ///
    /// # Errors
    /// The database cannot be read or written.
    fn maintenance_step(&mut self) -> Result<Maintained> {
        Ok(Maintained::Nothing)
    }

    /// Overwrites what deleted rows left in the file, a little at a time, beginning after a place: 0, or where the step
    /// before ended.
    ///
    /// # Errors
    /// The database cannot be written.
    fn scrub_step(&mut self, _after: u32) -> Result<Scrubbed> {
        Ok(Scrubbed { next: None, wrote: false })
    }

    /// Removes what was deleted from the store's own log. Returns whether it did: a reader may still need the log.
    ///
    /// # Errors
    /// The database cannot be written.
    fn empty_log(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Remakes a table that is derived from others, at once or in the steps of [`Store::maintenance_step`]; until then
    /// nothing fails for it. By its name in [`super::sqlite::DERIVED`].
    ///
    /// # Errors
    /// There is no such table, or the database cannot be written.
    fn remake_table(&mut self, name: &str) -> Result<()>;

    /// Reports an error of a transaction: a damaged table is remade later.
    fn report_error(&mut self, _error: &Error) {}

    /// Ends orderly: the database is brought to the form in which the next start reads it.
    ///
    /// # Errors
    /// The database cannot be written; the next start does it.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    /// Ends without another write, and has the next start verify the data: after a failed sync, less may be on disk than
    /// is read back from memory.
    fn abandon(self: Box<Self>);
}

/// A transaction. It reads rows as they were when it began, and writes nothing before its commit: dropped without one,
/// it leaves no trace.
pub trait Transaction {
    /// The rows.
    fn rows(&self) -> &dyn Rows;

    /// Where the journal stands.
    fn journal_state(&self) -> JournalState;

    /// The last number given in the feed of an app; 0 if none was. Numbers of a feed have no gaps.
    fn last_change(&self, app: &AppId) -> u64;

    /// Applies the writes in their order and commits. All of them are durable once this returns, or none is applied.
    ///
    /// # Errors
    /// The database cannot be written. [`Error::Unsure`]: the writes may or may not be durable.
    fn commit(self: Box<Self>, writes: &[Write<'_>]) -> Result<Committed>;
}

/// Where a journal stands, with what is counted beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalState {
    /// The number of the next entry. Numbers rise; some may be left out.
    pub next_entry: Seq,
    /// The clock of the API, in µs since 1970. It never runs back.
    pub clock: i64,
    /// The last entry in the compacted records, and when it was received, in ms since 1970.
    pub compacted: (Seq, i64),
}

/// A commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// The numbers of the rows of new app users, in the order of their writes.
    pub rows: Vec<i64>,
    /// The time that it took to make the writes durable, once they were applied.
    pub sync_time: Duration,
}

/// A step of [`Store::maintenance_step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintained {
    /// There was nothing to do.
    Nothing,
    /// A step; there may be more.
    Step,
    /// A table was remade: what is remembered of its rows must be read again.
    Remade,
}

/// A step of [`Store::scrub_step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// Where the next step begins; `None` if this was the last one.
    pub next: Option<u32>,
    /// Whether the file changed.
    pub wrote: bool,
}

/// The row of an app user as a transaction writes it.
#[derive(Clone, Debug)]
pub struct UserWrite<'a> {
    /// The app user.
    pub key: &'a RecordKey,
    /// The number of its row; `None` for a new one.
    pub row: Option<i64>,
    /// The record, as [`crate::format::record`] writes it.
    pub record: Vec<u8>,
    /// The columns of lists. Without words if the stored row has the same words, `listed` and `signed_up`.
    pub columns: Columns,
    /// The stored `last_seen`, if the columns have no words.
    pub last_seen_before: i64,
}

impl WriteRow for UserWrite<'_> {
    const TABLE: &'static Table = &APP_USERS;
    const COLUMNS: &'static [&'static str] =
        &["app", "id", "rowid", "record", "listed", "last_seen", "signed_up", "flags", "words"];

    fn write<'a>(&'a self, cells: &mut Vec<Cell<'a>>) {
        let Columns { listed, last_seen, signed_up, flags, words } = &self.columns;
        cells.extend([self.key.0.to_cell(), self.key.1.to_cell(), self.row.to_cell()]);
        cells.extend([self.record.to_cell(), listed.to_cell(), last_seen.to_cell()]);
        cells.extend([signed_up.to_cell(), flags.to_cell(), words.to_cell()]);
    }
}

/// One write. A row that is to be deleted or changed and is not there is no error.
#[derive(Clone, Debug)]
pub enum Write<'a> {
    /// Writes new rows. Those of the journal are numbered from [`JournalState::next_entry`] on, those of a feed from
    /// [`Transaction::last_change`] on.
    Insert(RowCells<'a>),
    /// Writes rows in place of those with their keys, of which there may be none.
    Put(RowCells<'a>),
    /// Writes those of the rows whose keys are not there.
    Add(RowCells<'a>),
    /// Changes these columns of rows. A table without a key has the row.
    Update(RowCells<'a>),
    /// Deletes the rows with these keys.
    Delete(RowCells<'a>),
    /// Deletes all rows of a table for which these conditions hold.
    DeleteWhere(&'static Table, Vec<Condition<'a>>),
    /// Writes the rows of app users.
    PutUsers(Vec<UserWrite<'a>>),
    /// Puts app users in place of those with their keys, or deletes these, whatever they hold.
    ReplaceUsers(Vec<(&'a RecordKey, Option<&'a StoredUser>)>),
}

impl Write<'static> {
    /// Puts one row; see [`Write::Put`].
    pub fn put(row: &impl WriteRow) -> Self {
        Self::Put(RowCells::of([row]).into_owned())
    }

    /// Adds one row; see [`Write::Add`].
    pub fn add(row: &impl WriteRow) -> Self {
        Self::Add(RowCells::of([row]).into_owned())
    }

    /// Changes one row; see [`Write::Update`].
    pub fn update(row: &impl WriteRow) -> Self {
        Self::Update(RowCells::of([row]).into_owned())
    }

    /// Deletes rows; see [`Write::Delete`].
    pub fn delete<K: Key>(table: &'static Table, keys: &[K]) -> Self {
        Self::Delete(RowCells::of_keys(table, keys).into_owned())
    }
}

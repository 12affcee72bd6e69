//! Compacted records: the state after the entries up to the compaction point.

use crate::domain::{AppId, Record, SmoochId};
use crate::format::record::decode;
use crate::store::error::{Error, Result};
use crate::store::select::row;
use crate::store::table::Table;

/// The compacted records.
pub static COMPACTED: Table =
    Table { number: Some("rowid"), ..Table::new("base", &["app", "id"], &["record"]) };

/// A compacted record.
#[derive(Clone, Debug, PartialEq)]
pub struct CompactedRecord {
    /// The app.
    pub app: AppId,
    /// The app user.
    pub id: SmoochId,
    /// The number of the row.
    pub row: i64,
    /// The record, as [`crate::format::record`] writes it.
    pub record: Vec<u8>,
}

row! { read CompactedRecord => COMPACTED { app, id, row = "rowid", record } }

impl CompactedRecord {
    /// Decodes the record.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is damaged.
    pub fn decode(&self) -> Result<Record> {
        let unreadable = |why: String| Error::Unreadable { table: COMPACTED.name, row: self.row, why };
        decode(&self.record).map_err(|error| unreadable(error.to_string()))
    }
}

/// A compacted record as it is written.
#[derive(Clone, Copy, Debug)]
pub struct CompactedWrite<'a> {
    /// The app.
    pub app: &'a AppId,
    /// The app user.
    pub id: &'a SmoochId,
    /// The record.
    pub record: &'a [u8],
}

row! { write CompactedWrite<'_> => COMPACTED { app, id, record } }

//! Tables of maintenance: compacted records, which have the state after the entries up to the compaction point; tables of
//! one row; and erased `_id`s with the receipts of their erasures.

use crate::domain::{AppId, Record, SmoochId};
use crate::format::record::decode;
use crate::store::entry::Seq;
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
        decode_record(COMPACTED.name, self.row, &self.record)
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

/// Decodes the record in a row of a table.
///
/// # Errors
/// [`Error::Unreadable`] if it is damaged.
pub fn decode_record(table: &'static str, row: i64, record: &[u8]) -> Result<Record> {
    decode(record).map_err(|error| Error::Unreadable { table, row, why: error.to_string() })
}

/// The clock.
pub static CLOCK: Table = Table::new("clock", &[], &["time"]);

/// The compaction point.
pub static HORIZON: Table = Table::new("horizon", &[], &["seq", "received"]);

/// The version of the rules.
pub static UPKEEP: Table = Table::new("upkeep", &[], &["rules"]);

/// The clock of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// In µs since 1970. It never runs back.
    pub time: i64,
}

row! { Clock => CLOCK { time } }

/// The last entry in the compacted records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Its number; 0 if there is none.
    pub seq: Seq,
    /// When it was received, in ms since 1970.
    pub received: i64,
}

row! { Horizon => HORIZON { seq, received } }

/// By which version of the rules the directory was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The version; see [`crate::domain::RULES_VERSION`].
    pub rules: i64,
}

row! { Rules => UPKEEP { rules } }

/// The tombstones.
pub static TOMBSTONES: Table = Table::new("erasures", &["app", "id"], &["receipt"]);

/// The receipts.
pub static RECEIPTS: Table = Table::new("receipts", &["seq"], &["app", "time", "done", "counts", "work"]);

/// An erased app user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The app.
    pub app: AppId,
    /// The app user.
    pub id: SmoochId,
    /// The number of its receipt.
    pub receipt: Seq,
}

row! { Tombstone => TOMBSTONES { app, id, receipt } }

/// The receipt of an erasure, with the work that is left of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReceipt {
    /// The journal entry that erased.
    pub seq: Seq,
    /// The app.
    pub app: AppId,
    /// When it was requested, in ms since 1970.
    pub time: i64,
    /// When it was complete, in ms since 1970.
    pub done: Option<i64>,
    /// The counts, as JSON; see [`crate::store::ErasureCounts`].
    pub counts: String,
    /// The work that is left, as JSON; see [`crate::format::erasure_work`].
    pub work: Option<String>,
}

row! { StoredReceipt => RECEIPTS { seq, app, time, done, counts, work } }

//! Erased `_id`s, and the receipts of their erasures.

use crate::domain::{AppId, SmoochId};
use crate::store::entry::Seq;
use crate::store::select::row;
use crate::store::table::Table;

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

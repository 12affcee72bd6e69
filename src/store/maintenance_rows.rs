//! The rows that the worker reads to answer repeated calls, and for retention, compaction and erasure.

use super::entry::{Entry, Seq};
use super::error::Result;
use crate::domain::{AppId, RecordKey};

/// Rows by age and size.
pub trait RetentionRows {
    /// At most `limit` of the oldest entries up to this one: number, and time of receipt in ms since 1970.
    fn oldest_entries(&self, up_to: Seq, limit: usize) -> Result<Vec<(Seq, i64)>>;

    /// At most `limit` batches after this one that have bodies: the first entry, and the bytes of the packed bodies.
    fn body_sizes(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, u64)>>;

    /// The entries of the batch that begins with this one.
    fn batch_entries(&self, first: Seq) -> Result<Vec<Entry>>;

    /// Every app with a feed, and the last number that was given in it.
    fn feeds(&self) -> Result<Vec<(AppId, u64)>>;

    /// At most `limit` of the oldest changes of an app: number, and time of the commit in ms since 1970.
    fn oldest_changes(&self, app: &AppId, limit: usize) -> Result<Vec<(u64, i64)>>;
}

/// Rows that may be damaged, to find the holes of a journal.
pub trait ExaminationRows {
    /// The entries with these numbers, in their order. App users that cannot be read are left out.
    fn damaged_entries(&self, seqs: &[Seq]) -> Result<Vec<Option<Entry>>>;

    /// At most `limit` entries after this number. App users that cannot be read are left out.
    fn damaged_entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>>;

    /// The ranges of numbers in `first..=last` that rightly have no entry, in their order: deleted by retention or an
    /// erasure. The last one may reach further.
    fn deleted_ranges(&self, first: Seq, last: Seq) -> Result<Vec<(Seq, Seq)>>;

    /// The last entry that bodies, receipts or the compaction point speak of; 0 if none does.
    fn last_known_entry(&self) -> Result<Seq>;

    /// At most `limit` records after this key, over all apps in the order of the keys. Bytes that are not a record are
    /// returned as they are.
    fn records_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<(RecordKey, Vec<u8>)>>;
}

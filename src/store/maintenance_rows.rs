//! The rows that the worker reads to answer repeated calls, and for retention, compaction and erasure.

use super::entry::{Entry, Seq};
use super::error::Result;
use crate::domain::{AppId, RecordKey};

/// A stored answer to a call with an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAnswer {
    /// The app.
    pub app: AppId,
    /// The key, hidden by [`crate::format::answer_key`].
    pub key: String,
    /// The hash of the request, covered by the same.
    pub fingerprint: [u8; 32],
    /// When it was given, in ms since 1970.
    pub time: i64,
    /// The answer.
    pub answer: Vec<u8>,
}

/// Stored answers. Rows are numbered in the order in which they were written.
pub trait AnswerRows {
    /// The answer with a hidden key.
    fn answer(&self, app: &AppId, key: &str) -> Result<Option<StoredAnswer>>;

    /// At most `limit` of the oldest answers: the number of the row, and when it was given.
    fn oldest_answers(&self, limit: usize) -> Result<Vec<(i64, i64)>>;

    /// At most `limit` answers of an app after this row, each with its row.
    fn answers_after(&self, app: &AppId, row: i64, limit: usize) -> Result<Vec<(i64, Vec<u8>)>>;

    /// The secret that hides the keys.
    fn answer_secret(&self) -> Result<[u8; 32]>;
}

/// A body in quarantine, by what retention asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantinedSize {
    /// Its number.
    pub seq: Seq,
    /// When it was received, in ms since 1970.
    pub received: i64,
    /// The bytes of the body.
    pub bytes: u64,
}

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

    /// The sizes of at most `limit` bodies in quarantine after this one.
    fn quarantined_sizes_after(&self, after: Seq, limit: usize) -> Result<Vec<QuarantinedSize>>;

    /// The bytes of these bodies in quarantine, in their order; absent if there is no such body.
    fn quarantined_sizes(&self, seqs: &[Seq]) -> Result<Vec<Option<u64>>>;
}

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
    /// The counts, as JSON; see [`super::ErasureCounts`].
    pub counts: String,
    /// The work that is left, as JSON; see [`crate::format::erasure_work`].
    pub work: Option<String>,
}

/// Erasures that are not complete.
pub trait ReceiptRows {
    /// The open receipt to be worked on next: one whose work cannot be read; then one whose stage is the journal; one that
    /// waits for the log comes last. Of several the first.
    fn next_open_receipt(&self) -> Result<Option<StoredReceipt>>;

    /// The open receipts of an app after this one.
    fn open_receipts_after(&self, app: &AppId, after: Seq) -> Result<Vec<StoredReceipt>>;

    /// Which of these app users have a tombstone, in the order of the keys.
    fn have_tombstones(&self, keys: &[RecordKey]) -> Result<Vec<bool>>;

    /// At most `limit` tombstones after this key, in the order of the keys.
    fn tombstones_after(&self, after: Option<&RecordKey>, limit: usize) -> Result<Vec<RecordKey>>;
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

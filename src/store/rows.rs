//! The rows of a directory as a database holds them: what a store has to answer.
//!
//! Every call blocks. A question takes many keys and costs one round trip, and a caller asks for all it knows of at
//! once: loading goes in waves. All answers of one snapshot, or of one transaction, are of one moment. Text is ordered by
//! its bytes. A row that is not there is left out, or absent, and never an error.

mod filter;
mod rebuilt;
mod status;

use super::entry::{Entry, Seq};
use super::epoch::FeedEpoch;
use super::error::{Error, Result};
use super::maintenance_rows::{ExaminationRows, RetentionRows};
use super::select::TableRows;
use super::tables::QUARANTINE;
use super::upkeep::CompactionPoint;
use crate::domain::list::Sort;
use crate::domain::{AppId, Change, Record, RecordKey, SmoochId};
use crate::format::list_columns::Columns;
use crate::format::record::decode;
pub use filter::RowFilter;
pub use rebuilt::{RebuiltRow, RebuiltRows, RebuiltTable, RowContent, RowKey, StoredUser};
pub use status::{RemakingProgress, StatusRows};

/// A stored record.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// The number of its row, by which a store finds it again.
    pub row: i64,
    /// The record, as [`crate::format::record`] writes it.
    pub bytes: Vec<u8>,
}

impl StoredRecord {
    /// Decodes the record of a table.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if it is damaged.
    pub fn decode(&self, table: &'static str) -> Result<Record> {
        let unreadable = |why: String| Error::Unreadable { table, row: self.row, why };
        decode(&self.bytes).map_err(|error| unreadable(error.to_string()))
    }
}

/// By what app users are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierKind {
    /// A `userId` that a record carries, as JSON text.
    UserId,
    /// A client, by the app user who holds it.
    Client,
    /// A client, by an app user who claims it while another one holds it.
    Claim,
}

impl IdentifierKind {
    /// The kind with a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::UserId, Self::Client, Self::Claim].into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserId => "userId",
            Self::Client => "client",
            Self::Claim => "claim",
        }
    }
}

/// An identifier of an app: its kind and its value.
pub type Identifier<'a> = (&'a AppId, IdentifierKind, &'a str);

/// Records, and the identifiers by which they are found.
pub trait RecordRows {
    /// The records of these app users, in the order of the keys.
    fn records(&self, keys: &[RecordKey]) -> Result<Vec<Option<StoredRecord>>>;

    /// The record with this `_id`, or, if there is none, those of the carriers of this `userId` (JSON text), each with
    /// its `_id` and its bytes. Provided by [`RecordRows::records`] and [`RecordRows::holders`]; a store may have one
    /// statement for both.
    fn find(&self, app: &AppId, id: &SmoochId, user_id: &str) -> Result<Vec<(SmoochId, Vec<u8>)>> {
        let by_id = self.records(&[(app.clone(), id.clone())])?.pop().flatten();
        if let Some(record) = by_id {
            return Ok(vec![(id.clone(), record.bytes)]);
        }
        let carriers = self.holders(&[(app, IdentifierKind::UserId, user_id)])?.pop().unwrap_or_default();
        let keys: Vec<RecordKey> = carriers.iter().map(|id| (app.clone(), id.clone())).collect();
        let records = carriers.into_iter().zip(self.records(&keys)?);
        Ok(records.filter_map(|(id, record)| Some((id, record?.bytes))).collect())
    }

    /// The `_id`s of the app users with each of these identifiers, in the order of the identifiers.
    fn holders(&self, identifiers: &[Identifier<'_>]) -> Result<Vec<Vec<SmoochId>>>;
}

/// App users in order.
pub trait UserRows {
    /// The record in this row.
    fn record_in_row(&self, row: i64) -> Result<Option<Vec<u8>>>;

    /// At most `limit` `_id`s of an app after `after`, the app's own left out, each with whether lists show it.
    fn ids_after(&self, app: &AppId, after: &str, limit: usize) -> Result<Vec<(SmoochId, bool)>>;

    /// At most `limit` `_id`s of an app after `after` that lists show.
    fn listed_ids_after(&self, app: &AppId, after: &str, limit: usize) -> Result<Vec<SmoochId>>;

    /// Every app with a record.
    fn apps(&self) -> Result<Vec<AppId>>;

    /// How many app users lists show, over all apps.
    fn count_listed(&self) -> Result<u64>;
}

/// A row of an app user as lists read it; see [`crate::format::list_columns`].
#[derive(Clone, Debug, PartialEq)]
pub struct ListRow {
    /// The number of the row.
    pub row: i64,
    /// The `_id`.
    pub id: SmoochId,
    /// Its columns; its words are never absent.
    pub columns: Columns,
    /// The key at which an order has the row. An order may still have a row at an old key: then this is not the key of
    /// its columns.
    pub at: i64,
}

/// A change of the key by which a list is sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// Its number: moves of all apps are numbered together.
    pub n: i64,
    /// The app user.
    pub id: SmoochId,
    /// The number of its row.
    pub row: i64,
    /// The key before.
    pub before: i64,
    /// The key afterwards; absent if no list shows the app user any more.
    pub now: Option<i64>,
}

/// Some moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Moves {
    /// Those of the app and the order that were asked for.
    pub found: Vec<Move>,
    /// How many moves of all apps were read.
    pub read: usize,
    /// The number of the last of them.
    pub last: Option<i64>,
}

/// Which indexes of lists are complete, not being made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListIndexes {
    /// The order of `last_seen`.
    pub has_last_seen: bool,
    /// The index of words.
    pub has_words: bool,
}

/// An order of the app users of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOrder {
    /// By what.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
}

/// Lists and their indexes.
pub trait ListRows {
    /// Which indexes are complete.
    fn list_indexes(&self) -> Result<ListIndexes>;

    /// The numbers of the oldest stored move and of the last one.
    fn move_range(&self) -> Result<(Option<i64>, Option<i64>)>;

    /// The latest time of an event of an app user of an app, in µs since 1970.
    fn latest_seen(&self, app: &AppId) -> Result<Option<i64>>;

    /// At most `limit` rows of an order behind a place: a key (0 in the order of `_id`s) and an `_id`.
    fn walk_order(
        &self,
        app: &AppId,
        order: ListOrder,
        behind: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<ListRow>>;

    /// The rows with these numbers, in the order of the numbers; `at` is the key of `sort`.
    fn list_rows(&self, rows: &[i64], sort: Sort) -> Result<Vec<Option<ListRow>>>;

    /// At most `limit` numbers of rows with all these words, and with a word that begins with each of those.
    fn rows_with_words(&self, words: &[String], beginnings: &[String], limit: usize) -> Result<Vec<i64>>;

    /// At most `limit` numbers of rows of an app with a key of `sort` from `since` on and before `before`.
    fn rows_in_range(
        &self,
        app: &AppId,
        sort: Sort,
        since: i64,
        before: i64,
        limit: usize,
    ) -> Result<Vec<i64>>;

    /// The moves of an order of an app among the `limit` moves after this number.
    fn moves_after(&self, app: &AppId, sort: Sort, after: i64, limit: usize) -> Result<Moves>;

    /// How many app users of an app lists show.
    fn count_listed_of(&self, app: &AppId) -> Result<u64>;
}

/// Bodies of one batch as they are stored; see [`crate::format::bodies`].
#[derive(Clone, Debug, PartialEq)]
pub struct PackedBodies {
    /// The number of the first entry of the batch.
    pub first: Seq,
    /// The dictionary of the compression.
    pub dictionary: i64,
    /// The packed bodies.
    pub bytes: Vec<u8>,
}

/// The app users of a journal entry, each with its entry before.
pub type EntryUsers = Vec<(SmoochId, Option<Seq>)>;

/// The journal.
pub trait JournalRows {
    /// The entries with these numbers, in their order.
    fn entries(&self, seqs: &[Seq]) -> Result<Vec<Option<Entry>>>;

    /// At most `limit` entries after this number.
    fn entries_after(&self, after: Seq, limit: usize) -> Result<Vec<Entry>>;

    /// At most `limit` matching entries.
    fn entries_matching(&self, filter: &RowFilter, limit: usize) -> Result<Vec<Entry>>;

    /// The app users of each of these entries of an app, in their order, each with its entry before.
    fn users_of_entries(&self, app: &AppId, seqs: &[Seq]) -> Result<Vec<Option<EntryUsers>>>;

    /// The number of the last entry, existing or compacted; 0 if there is none.
    fn last_entry_seq(&self) -> Result<Seq>;

    /// The first entry of the batch that this entry was committed in; absent if its bodies are deleted.
    fn first_of_batch(&self, seq: Seq) -> Result<Option<Seq>>;

    /// The bodies of the batch that begins with this entry.
    fn packed_bodies(&self, first: Seq) -> Result<Option<PackedBodies>>;

    /// Up to which entry the journal is compacted.
    fn compaction_point(&self) -> Result<CompactionPoint>;

    /// The time of the last webhook of each app among the last `limit` entries, in ms since 1970.
    fn last_webhooks(&self, limit: usize) -> Result<Vec<(AppId, i64)>>;

    /// How many entries there are.
    fn count_entries(&self) -> Result<u64>;
}

/// A change in the feed of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChange {
    /// Its number.
    pub seq: u64,
    /// When it was committed, in ms since 1970.
    pub time: i64,
    /// The change.
    pub change: Change,
}

/// The stored part of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRange {
    /// The oldest stored change; the next number to be given if there is none.
    pub oldest: u64,
    /// The last number given; 0 before the first.
    pub last: u64,
}

/// The change feed.
pub trait FeedRows {
    /// At most `limit` changes of an app after this number.
    fn changes_after(&self, app: &AppId, after: u64, limit: usize) -> Result<Vec<StoredChange>>;

    /// The stored part of the feed of each app.
    fn feed_ranges(&self, apps: &[AppId]) -> Result<Vec<FeedRange>>;

    /// The time of the last change of each app, in ms since 1970.
    fn last_change_times(&self, apps: &[AppId]) -> Result<Vec<Option<i64>>>;

    /// What the numbers of all feeds count from.
    fn feed_epoch(&self) -> Result<FeedEpoch>;
}

/// All rows.
pub trait Rows:
    TableRows
    + RecordRows
    + UserRows
    + ListRows
    + JournalRows
    + FeedRows
    + RetentionRows
    + ExaminationRows
    + StatusRows
    + RebuiltRows
{
}

impl<T> Rows for T where
    T: TableRows
        + RecordRows
        + UserRows
        + ListRows
        + JournalRows
        + FeedRows
        + RetentionRows
        + ExaminationRows
        + StatusRows
        + RebuiltRows
{
}

/// The contents of a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentCounts {
    /// App users that lists show, over all apps.
    pub users: u64,
    /// Journal entries.
    pub events: u64,
    /// Quarantined bodies.
    pub quarantined: u64,
}

impl ContentCounts {
    /// Counts the rows.
    pub fn read(rows: &dyn Rows) -> Result<Self> {
        let (users, events) = (rows.count_listed()?, rows.count_entries()?);
        Ok(Self { users, events, quarantined: rows.count(&QUARANTINE, None)?.0 })
    }
}

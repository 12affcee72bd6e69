//! The rows of a directory as a database holds them: what a store has to answer.
//!
//! Every call blocks. A question takes many keys and costs one round trip, and a caller asks for all it knows of at
//! once: loading goes in waves. All answers of one snapshot, or of one transaction, are of one moment. Text is ordered by
//! its bytes. A row that is not there is left out, or absent, and never an error.

mod filter;
mod rebuilt;

use super::epoch::FeedEpoch;
use super::error::Result;
use super::select::row;
use super::select::{ReadRow as _, TableRows};
use super::tables::{
    APP_USERS, ChangeTime, Feed, IdentifierKind, JOURNAL, ListRow, QUARANTINE, decode_record,
};
use crate::domain::list::Sort;
use crate::domain::{AppId, Record, RecordKey, SmoochId};
pub use filter::RowFilter;
pub use rebuilt::{RebuiltRow, RebuiltTable, RowContent, RowKey, StoredUser};

/// A stored record.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// The number of its row, by which a store finds it again.
    pub row: i64,
    /// The record, as [`crate::format::record`] writes it.
    pub bytes: Vec<u8>,
}

row! { read StoredRecord => APP_USERS { row = "rowid", bytes = "record" } }

impl StoredRecord {
    /// Decodes the record of a table.
    ///
    /// # Errors
    /// [`super::Error::Unreadable`] if it is damaged.
    pub fn decode(&self, table: &'static str) -> Result<Record> {
        decode_record(table, self.row, &self.bytes)
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

/// An order of the app users of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOrder {
    /// By what.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
}

/// The stored part of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRange {
    /// The oldest stored change; the next number to be given if there is none.
    pub oldest: u64,
    /// The last number given; 0 before the first.
    pub last: u64,
}

impl FeedRange {
    /// That of an app. The row that counts its changes may be lost.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(rows: &dyn TableRows, app: &AppId) -> Result<Self> {
        let change = || ChangeTime::select().is("app", app);
        let given = Feed::find(rows, app)?.map_or(0, |feed| feed.last);
        let last = change().descending().first(rows)?.map_or(given, |change| change.seq.max(given));
        Ok(Self { oldest: change().first(rows)?.map_or(last + 1, |change| change.seq), last })
    }
}

/// The progress of a derived table that is being remade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemakingProgress {
    /// The table.
    pub table: &'static str,
    /// Rows done.
    pub done: u64,
    /// Rows in total.
    pub total: u64,
}

/// All rows: those of each table, lists with their indexes, and the state of the database.
pub trait Rows: TableRows + RecordRows {
    /// How many app users lists show, of one app or of all.
    fn count_listed(&self, app: Option<&AppId>) -> Result<u64>;

    /// At most `limit` rows of an order behind a place: a key (0 in the order of `_id`s) and an `_id`. Each comes with the
    /// key at which the order has it: an order may still have a row at an old key.
    fn walk_order(
        &self,
        app: &AppId,
        order: ListOrder,
        behind: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<(i64, ListRow)>>;

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

    /// What the numbers of all feeds count from.
    fn feed_epoch(&self) -> Result<FeedEpoch>;

    /// A number that changes with every commit of another connection.
    fn data_version(&self) -> Result<i64>;

    /// The derived tables that are being remade.
    fn remaking(&self) -> Result<Vec<RemakingProgress>> {
        Ok(Vec::new())
    }
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
        let (users, events) = (rows.count_listed(None)?, rows.count(&JOURNAL, None)?.0);
        Ok(Self { users, events, quarantined: rows.count(&QUARANTINE, None)?.0 })
    }
}

//! The reader of the directory: HTTP, commands and a rebuild read through it.

use std::ops::Deref;
use std::path::Path;

use crate::format::record::decode;
use crate::store::readers::{LaneReader, StopSignal, StoreReader};
use crate::store::rows::{ContentCounts, RemakingProgress, RowFilter, Rows};
use crate::store::sqlite::{OpenError, SqliteReader};
use crate::store::tables::{QuarantinedSummary, Rules, StoredSession, UserRecord};
use crate::store::{CompactionPoint, Entry, Error, Quarantined, ReadRow as _, Result, Seq};

/// Opens a database that a store has opened before.
///
/// # Errors
/// The schema is newer or older than that of this program, the file is not a database of rollcall, or cannot be read.
pub fn open_reader(path: &Path) -> Result<DirectoryReader, OpenError> {
    Ok(DirectoryReader::new(SqliteReader::open(path)?))
}

/// Reads the directory. Each read sees every commit that was made before it began. The other modules of the directory
/// add the reads of their subject.
pub struct DirectoryReader {
    store: Box<dyn StoreReader>,
    stop: Option<StopSignal>,
}

impl DirectoryReader {
    /// Reads over a connection.
    pub fn new(store: impl StoreReader) -> Self {
        Self { store: Box::new(store), stop: None }
    }

    /// Opens a snapshot, or continues that of [`LaneReader::in_one_snapshot`].
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the read is to end.
    pub fn snapshot(&self) -> Result<ReadSnapshot<'_>> {
        if self.stop.as_ref().is_some_and(StopSignal::is_raised) {
            return Err(Error::Interrupted);
        }
        let ends = self.store.begin()?;
        Ok(ReadSnapshot { store: &*self.store, ends })
    }

    /// Reads with every index at first, and without the search index if that is damaged, which takes longer.
    pub(super) fn with_indexes<T>(&self, read: impl Fn(bool) -> Result<T>) -> Result<T> {
        match read(self.store.is_intact("search")) {
            Err(error @ Error::Derived { .. }) => {
                self.store.note_error(&error);
                match error {
                    Error::Derived { name: "search", .. } => read(false),
                    Error::Derived { name, .. } => Err(Error::Remaking(name)),
                    error => Err(error),
                }
            }
            found => found,
        }
    }

    /// At most `limit` matching entries.
    pub fn find_entries(&self, filter: &RowFilter, limit: usize) -> Result<Vec<Entry>> {
        filter.read(&*self.snapshot()?, "trigger", limit)
    }

    /// How far the journal is compacted.
    pub fn compaction_point(&self) -> Result<CompactionPoint> {
        CompactionPoint::read(&*self.snapshot()?)
    }

    /// At most `limit` matching bodies of the quarantine, without the bodies themselves.
    pub fn list_quarantined(&self, filter: &RowFilter, limit: usize) -> Result<Vec<QuarantinedSummary>> {
        filter.read(&*self.snapshot()?, "reason", limit)
    }

    /// A quarantined body.
    pub fn find_quarantined(&self, seq: Seq) -> Result<Option<Quarantined>> {
        Quarantined::find(&*self.snapshot()?, &seq)
    }

    /// Counts the contents.
    pub fn count_contents(&self) -> Result<ContentCounts> {
        ContentCounts::read(&*self.snapshot()?)
    }

    /// The derived tables that are being remade.
    pub fn read_remaking(&self) -> Result<Vec<RemakingProgress>> {
        self.snapshot()?.remaking()
    }

    /// The stored sessions of the console, and the number of the database's epoch.
    pub fn read_sessions(&self) -> Result<(Vec<StoredSession>, i64)> {
        let rows = self.snapshot()?;
        Ok((StoredSession::select().read(&*rows)?, rows.feed_epoch()?.epoch.number()))
    }

    /// The version of the rules by which the directory was built.
    pub fn rules_version(&self) -> Result<i64> {
        Ok(Rules::only(&*self.snapshot()?)?.rules)
    }

    /// A number that changes with every commit of another connection. Reads shared memory only.
    pub fn data_version(&self) -> Result<i64> {
        self.snapshot()?.data_version()
    }

    /// Whether the record in this row is readable, or gone.
    pub fn is_readable(&self, row: i64) -> Result<bool> {
        let stored = UserRecord::select().is("rowid", &row).first(&*self.snapshot()?)?;
        Ok(stored.is_none_or(|stored| decode(&stored.record).is_ok()))
    }
}

impl LaneReader for DirectoryReader {
    fn in_one_snapshot(&mut self, reads: impl FnOnce(&mut Self)) {
        let began = self.store.begin().unwrap_or_default();
        reads(self);
        if began {
            self.store.end();
        }
    }

    fn obey(&mut self, stop: StopSignal) {
        self.store.obey(stop.clone());
        self.stop = Some(stop);
    }

    fn note_error(&mut self, error: &Error) {
        self.store.note_error(error);
    }
}

/// A snapshot of the rows.
pub struct ReadSnapshot<'r> {
    store: &'r dyn StoreReader,
    /// Whether the snapshot of the store ends with this one.
    ends: bool,
}

impl<'r> Deref for ReadSnapshot<'r> {
    type Target = dyn Rows + 'r;

    fn deref(&self) -> &Self::Target {
        self.store.rows()
    }
}

impl Drop for ReadSnapshot<'_> {
    fn drop(&mut self) {
        if self.ends {
            self.store.end();
        }
    }
}
